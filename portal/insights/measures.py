"""The measures of the business, each with its definition: how it follows from the figures of days, and how that reads.

Whole rupiah, counts, and shares in thousandths. None: there is nothing to divide by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.insights.days import STOCKS, WITHIN

SEEN = ("slots_used", "slots_total", "forecast_due_sum", "forecast_covered_sum", "forecast_renewals")
MONTH_DAYS = 30


@dataclass(frozen=True)
class Span:
    """The figures of some days: what happened, summed, and what stood before the first and at the end of the last."""

    days: int
    flows: Mapping[str, int] = field(default_factory=Counter)
    before: Mapping[str, int] = field(default_factory=Counter)
    after: Mapping[str, int] = field(default_factory=Counter)

    def of(self, name: str) -> int:
        return self.flows.get(name, 0)


def span(figures: Iterable[Mapping[str, int]], days: int, before: Mapping[str, int] | None = None) -> Span:
    """`figures` of the days that are summed up, oldest first; `before` those of the day before them."""
    before = Counter(before or {})
    flows: Counter[str] = Counter()
    after: Mapping[str, int] = before
    for day in figures:
        flows.update({name: value for name, value in day.items() if name not in STOCKS and name not in SEEN})
        after = day
    return Span(days, flows, before, after)


class Unit(StrEnum):
    """How a value reads."""

    MONEY = "money"
    COUNT = "count"
    SHARE = "share"  # thousandths


@dataclass(frozen=True)
class Measure:
    """A figure of a range: `hint` is its definition, as the page tells it."""

    name: str
    unit: Unit
    label: Any
    hint: Any
    value: Callable[[Span], int | None]
    better: int = 1  # 1: more is, -1: less is, 0: neither


def share(part: int, whole: int) -> int | None:
    """`part` of `whole` in thousandths, halves up."""
    return (2000 * part + whole) // (2 * whole) if whole > 0 else None


def arpu(found: Span) -> int | None:
    """Average revenue per user: MRR at the end ÷ paying customers at the end, rounded down."""
    paying = found.after.get("paying", 0)
    return found.after.get("mrr_sum", 0) // paying if paying else None


def customer_churn(found: Span) -> int | None:
    """Customers whose MRR went to nothing ÷ customers who paid at the start."""
    return share(found.of("customers_churned"), found.before.get("paying", 0))


def mrr_churn(found: Span) -> int | None:
    """MRR lost by churn and contraction ÷ MRR at the start."""
    return share(found.of("mrr_churned_sum") + found.of("mrr_contraction_sum"), found.before.get("mrr_sum", 0))


def clv(found: Span) -> int | None:
    """Customer lifetime value: ARPU ÷ customer churn of 30 days, that is ARPU × paying at the start × days
    ÷ (churned customers × 30). None while nobody churned."""
    average, churned = arpu(found), found.of("customers_churned")
    if average is None or not churned:
        return None
    return average * found.before.get("paying", 0) * found.days // (churned * MONTH_DAYS)


def methods(found: Span) -> list[str]:
    """Those by which somebody topped up, the most used first."""
    asked = {name.removeprefix("asked_"): count for name, count in found.flows.items() if name.startswith("asked_")}
    return sorted((name for name in asked if asked[name]), key=lambda name: (-asked[name], name))


def top_up_success(found: Span, method: str | None = None) -> int | None:
    """Top-ups paid ÷ top-ups asked for whose fate is known; one refunded later was paid all the same."""
    chosen = [method] if method else methods(found)
    asked, paid, still_open = (sum(found.of(f"{name}_{one}") for one in chosen) for name in ("asked", "paid", "open"))
    return share(paid, asked - still_open)


def topped_up(found: Span) -> int | None:
    """Of who registered, those with a paid top-up within 30 days."""
    return share(found.of("registered_topped_up"), found.of("registered"))


def bought(found: Span) -> int | None:
    """Of who registered, those with a paid purchase within 30 days."""
    return share(found.of("registered_bought"), found.of("registered"))


def recovery(found: Span) -> int | None:
    """Renewals that fell short and were paid in grace ÷ renewals that fell short."""
    return share(found.of("recovered"), found.of("graced"))


def quota_use(found: Span) -> int | None:
    """Slots in use ÷ slots for sale, as last seen."""
    return share(found.after.get("slots_used", 0), found.after.get("slots_total", 0))


def forecast(due: Mapping[str, int], lately: Span) -> int | None:
    """What the credit there is covers + the rest × the share of sums that recovered in grace `lately`. None before the
    first forecast."""
    if "forecast_due_sum" not in due:
        return None
    covered = due["forecast_covered_sum"]
    short, graced = due["forecast_due_sum"] - covered, lately.of("graced_sum")
    return covered + (short * lately.of("recovered_sum") // graced if graced else 0)


def _flow(name: str) -> Callable[[Span], int | None]:
    return lambda found: found.of(name)


def _stock(name: str) -> Callable[[Span], int | None]:
    return lambda found: found.after.get(name, 0)


MEASURES = [
    Measure(
        "revenue", Unit.MONEY, _l("Revenue"), _l("Sold, refunds taken off, without PPN."), _flow("revenue_sum"),
    ),
    Measure("ppn", Unit.MONEY, _l("PPN"), _l("In what was sold, that of refunds taken off."), _flow("ppn_sum")),
    Measure(
        "refunds", Unit.MONEY, _l("Refunds"), _l("Given back to wallets of what was sold, PPN included."),
        _flow("refunds_sum"), -1,
    ),
    Measure(
        "mrr", Unit.MONEY, _l("MRR"),
        _l("Monthly recurring revenue at the end, PPN included: what running periods were charged, without setup fees; "
           "yearly prices count a twelfth, rounded down. Grace counts, trials do not."),
        _stock("mrr_sum"),
    ),
    Measure("paying", Unit.COUNT, _l("Paying customers"), _l("With MRR at the end."), _stock("paying")),
    Measure(
        "arpu", Unit.MONEY, _l("ARPU"), _l("Average revenue per user: MRR ÷ paying customers, at the end."), arpu,
    ),
    Measure(
        "customer_churn", Unit.SHARE, _l("Customer churn"),
        _l("Customers whose MRR went to nothing ÷ customers who paid at the start."), customer_churn, -1,
    ),
    Measure(
        "mrr_churn", Unit.SHARE, _l("MRR churn"), _l("MRR lost by churn and contraction ÷ MRR at the start."),
        mrr_churn, -1,
    ),
    Measure(
        "clv", Unit.MONEY, _l("CLV"),
        _l("Customer lifetime value: ARPU ÷ customer churn per 30 days. None while nobody churned."), clv,
    ),
    Measure(
        "top_up_success", Unit.SHARE, _l("Top-up success"),
        _l("Paid ÷ asked for in this range; those that may still be paid are left out."), top_up_success,
    ),
    Measure(
        "topped_up", Unit.SHARE, _l("Registered, then topped up"),
        _l("Of who registered in this range, those whose top-up was paid within %(days)s days.", days=WITHIN.days),
        topped_up,
    ),
    Measure(
        "bought", Unit.SHARE, _l("Registered, then bought"),
        _l("Of who registered in this range, those who paid for an app within %(days)s days.", days=WITHIN.days),
        bought,
    ),
    Measure(
        "recovery", Unit.SHARE, _l("Recovery in grace"),
        _l("Of the renewals that fell short in this range, those that were paid in grace after all."), recovery,
    ),
    Measure(
        "balances", Unit.MONEY, _l("Balances held"),
        _l("What customers have to spend or set aside at the end: a liability, from the ledger."),
        _stock("balances_sum"), 0,
    ),
    Measure(
        "debts", Unit.MONEY, _l("Debts of customers"), _l("After chargebacks, at the end."), _stock("debts_sum"), -1,
    ),
    Measure(
        "quota", Unit.SHARE, _l("Quota in use"), _l("Slots in use ÷ slots for sale, as seen on the last day."),
        quota_use,
    ),
]  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
