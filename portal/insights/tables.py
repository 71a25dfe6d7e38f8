"""The tables of the analytics: pure, from the days that are summed up. A chart draws a table, a file holds one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.insights import measures, mrr
from portal.insights.measures import Span
from portal.insights.ranges import ONE_DAY, Range, month_after
from portal.payments.rules import METHODS

DAY, TEXT, MONEY, COUNT, SHARE = "day", "text", "money", "count", "share"
LATELY_DAYS = 90
"""Of how many days the recovery in the forecast is taken."""


@dataclass(frozen=True)
class Column:
    """A column of a table and how its values read; `name` heads it in a file."""

    name: str
    label: Any
    unit: str


@dataclass(frozen=True)
class Table:
    """Rows of values by column; None where nobody knows. `draws` are the columns that its chart shows, `shape` how."""

    name: str
    title: Any
    hint: Any
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    shape: str = ""
    draws: Sequence[str] = ()

    @property
    def heading(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def drawn(self) -> list[tuple[int, Column]]:
        """What the chart shows: the place of each among the columns after the first, and the column."""
        return [(place, column) for place, column in enumerate(self.columns[1:]) if column.name in self.draws]


@dataclass(frozen=True)
class Change:
    """A measure in a range and in the range before; `permille` is the change, None where there was nothing."""

    measure: measures.Measure
    now: int | None
    before: int | None

    @property
    def difference(self) -> int | None:
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def permille(self) -> int | None:
        """Of shares the change is their difference, in thousandths; of the rest by how much of it they changed."""
        if self.difference is None or self.measure.unit == measures.Unit.SHARE or not self.before:
            return self.difference if self.measure.unit == measures.Unit.SHARE else None
        return self.difference * 1000 // abs(self.before)

    @property
    def tone(self) -> str:
        """`good`, `bad`, or nothing where it did not change or it is neither."""
        way = (self.difference or 0) * self.measure.better
        return "good" if way > 0 else "bad" if way < 0 else ""


@dataclass(frozen=True)
class Plan:
    """Slots of a plan as they are."""

    service: str
    name: str
    used: int
    total: int
    waiting: int


class Analytics:
    """The business in a range of days and in the range before; `rows` are the figures of days, by day."""

    def __init__(self, rows: Mapping[date, Mapping[str, int]], chosen: Range, plans: Sequence[Plan] = ()) -> None:
        self._rows, self.range, self._plans = rows, chosen, plans
        self._spans: dict[Range, Span] = {}

    @staticmethod
    def first_day(chosen: Range) -> date:
        """From which day on it needs the figures."""
        return min(chosen.before.first - ONE_DAY, chosen.last - LATELY_DAYS * ONE_DAY)

    def span(self, days: Range) -> Span:
        """The figures of these days; those of days before the first that is summed up are nothing."""
        if days not in self._spans:
            found = [self._rows[day] for day in days.each_day() if day in self._rows]
            self._spans[days] = measures.span(found, days.days, self._rows.get(days.first - ONE_DAY))
        return self._spans[days]

    @cached_property
    def now(self) -> Span:
        return self.span(self.range)

    @cached_property
    def before(self) -> Span:
        return self.span(self.range.before)

    @property
    def changes(self) -> list[Change]:
        return [Change(one, one.value(self.now), one.value(self.before)) for one in measures.MEASURES]

    @property
    def tables(self) -> list[Table]:
        return [
            self.summary,
            self.revenue,
            self.mrr,
            self.customers,
            self.balances,
            self.top_ups,
            self.conversion,
            self.grace,
            self.quota,
            self.forecast,
        ]

    @property
    def summary(self) -> Table:
        rows = [[one.measure.name, one.now, one.before, one.difference] for one in self.changes]
        columns = [
            Column("measure", _l("Measure"), TEXT),
            Column("range", _l("This range"), COUNT),
            Column("range_before", _l("The range before"), COUNT),
            Column("change", _l("Change"), COUNT),
        ]
        return Table("summary", _l("Summary"), _l("Rupiah, counts, and shares in thousandths."), columns, rows)

    @property
    def revenue(self) -> Table:
        return self._by_day(
            "revenue",
            _l("Revenue"),
            _l("Sold without PPN, refunds taken off on the day they were given."),
            [
                ("revenue_sum", _l("Revenue"), MONEY),
                ("ppn_sum", _l("PPN"), MONEY),
                ("refunds_sum", _l("Refunds"), MONEY),
            ],
            shape="bars",
            draws=["revenue_sum"],
        )

    @property
    def mrr(self) -> Table:
        labels = dict(zip(mrr.MOVEMENTS, MOVEMENT_LABELS, strict=True))
        return self._by_day(
            "mrr",
            _l("MRR and its movements"),
            _l(
                "A customer's MRR is compared from the end of one day to the next: new had none ever, reactivated had "
                "none any more, churned has none left."
            ),
            [
                ("mrr_sum", _l("MRR at the end"), MONEY),
                *((f"mrr_{kind}_sum", label, MONEY) for kind, label in labels.items()),
            ],
            shape="line",
            draws=["mrr_sum"],
        )

    @property
    def customers(self) -> Table:
        labels = dict(zip(mrr.MOVEMENTS, MOVEMENT_LABELS, strict=True))
        return self._by_day(
            "customers",
            _l("Paying customers"),
            _l("Who paid at the end, and whose MRR moved."),
            [
                ("paying", _l("Paying at the end"), COUNT),
                *((f"customers_{kind}", label, COUNT) for kind, label in labels.items()),
            ],
            shape="line",
            draws=["paying"],
        )

    @property
    def balances(self) -> Table:
        return self._by_day(
            "balances",
            _l("Balances held"),
            _l("What we owe to customers at the end of the day, and what they owe to us."),
            [("balances_sum", _l("Balances"), MONEY), ("debts_sum", _l("Debts"), MONEY)],
            shape="line",
            draws=["balances_sum"],
        )

    @property
    def conversion(self) -> Table:
        return self._by_day(
            "conversion",
            _l("From registering to buying"),
            _l("Who registered on these days, and topped up and bought within 30 days of it."),
            [
                ("registered", _l("Registered"), COUNT),
                ("registered_topped_up", _l("Topped up"), COUNT),
                ("registered_bought", _l("Bought"), COUNT),
            ],
            shape="bars",
            draws=["registered"],
        )

    @property
    def grace(self) -> Table:
        return self._by_day(
            "grace",
            _l("Recovery in grace"),
            _l("Renewals that fell short on these days, and those of them that were paid in grace."),
            [
                ("graced", _l("Fell short"), COUNT),
                ("recovered", _l("Recovered"), COUNT),
                ("graced_sum", _l("Sum that fell short"), MONEY),
                ("recovered_sum", _l("Sum recovered"), MONEY),
            ],
            shape="bars",
            draws=["graced"],
        )

    @property
    def top_ups(self) -> Table:
        columns = [
            Column("method", _l("Method"), TEXT),
            Column("asked", _l("Asked for"), COUNT),
            Column("paid", _l("Paid"), COUNT),
            Column("open", _l("Still open"), COUNT),
            Column("success", _l("Success"), SHARE),
            Column("success_before", _l("The range before"), SHARE),
            Column("paid_sum", _l("Sum paid"), MONEY),
        ]
        hint = _l("Top-ups asked for in this range; success is paid ÷ asked for, those still open left out.")
        rows = [self._method(name) for name in measures.methods(self.now)]
        return Table("top_ups", _l("Top-ups by method"), hint, columns, rows)

    def _method(self, name: str) -> list[Any]:
        of = self.now.of
        success = [measures.top_up_success(found, name) for found in (self.now, self.before)]
        label = METHODS[name].label if name in METHODS else name
        return [label, of(f"asked_{name}"), of(f"paid_{name}"), of(f"open_{name}"), *success, of(f"paid_sum_{name}")]

    @property
    def quota(self) -> Table:
        columns = [
            Column("plan", _l("Plan"), TEXT),
            Column("used", _l("In use"), COUNT),
            Column("total", _l("For sale"), COUNT),
            Column("share", _l("In use, of all"), SHARE),
            Column("waiting", _l("Waiting for one"), COUNT),
        ]
        rows = [
            [f"{one.service} {one.name}", one.used, one.total, measures.share(one.used, one.total), one.waiting]
            for one in self._plans
        ]
        return Table("quota", _l("Quota by plan"), _l("Slots as they are now."), columns, rows)

    @property
    def forecast(self) -> Table:
        """Of the month after the last day on which it was made."""
        made = max((day for day, figures in self._rows.items() if "forecast_due_sum" in figures), default=None)
        due = self._rows[made] if made else Counter[str]()
        lately = self.span(Range(self.range.last - (LATELY_DAYS - 1) * ONE_DAY, self.range.last))
        recovered = measures.share(lately.of("recovered_sum"), lately.of("graced_sum"))
        columns = [
            Column("month", _l("Month from"), DAY),
            Column("renewals", _l("Renewals due"), COUNT),
            Column("due", _l("Sum due"), MONEY),
            Column("covered", _l("Covered by credit now"), MONEY),
            Column("recovered", _l("Recovers of the rest"), SHARE),
            Column("forecast", _l("Forecast"), MONEY),
        ]
        row = [due.get(f"forecast_{name}") for name in ("renewals", "due_sum", "covered_sum")]
        rows = [[month_after(made), *row, recovered, measures.forecast(due, lately)]] if made else []
        return Table("forecast", _l("Forecast of the next month"), FORECAST_HINT, columns, rows)

    def _by_day(self, name: str, title: Any, hint: Any, columns: Sequence[tuple[str, Any, str]], **chart: Any) -> Table:
        stocks = measures.STOCKS
        rows: list[list[Any]] = []
        for piece in self.range.pieces():
            found = self.span(piece)
            known = any(day in self._rows for day in piece.each_day())
            values = [(found.after if key in stocks else found.flows).get(key, 0) for key, _, _ in columns]
            rows.append([piece.first, *(values if known else [None] * len(values))])
        heads = [Column("from", _l("From"), DAY), *(Column(*column) for column in columns)]
        return Table(name, title, hint, heads, rows, **chart)


MOVEMENT_LABELS = (_l("New"), _l("Reactivated"), _l("Expansion"), _l("Contraction"), _l("Churned"))
FORECAST_HINT = _l(
    "The rules of renewal are run forward over every running app that renews by itself. What the credit of its "
    "customer covers, as it is now, counts whole; of the rest as much as recovered in grace in the last 90 days. PPN "
    "included; new customers, upgrades and departures to come are not in it. Made every night."
)
