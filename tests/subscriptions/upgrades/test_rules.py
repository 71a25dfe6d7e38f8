"""The arithmetic and the tables behind a change of plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import product
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.catalog.models import Interval, Plan, PlanPrice, PlanType
from portal.subscriptions.models import UNDER_WAY, PlanChangeStatus, SubscriptionStatus
from portal.subscriptions.rules import changes
from portal.subscriptions.rules.changes import Hurdle
from portal.subscriptions.rules.periods import period_end
from portal.subscriptions.rules.proration import is_upgrade, prorate, unused_value

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
PRICES = st.integers(0, 50_000_000)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2029, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
INTERVALS = st.sampled_from(list(Interval))


@dataclass(frozen=True)
class Period:
    starts_at: datetime
    ends_at: datetime
    anchor_day: int

    def at(self, share: float) -> datetime:
        return self.starts_at + (self.ends_at - self.starts_at) * share


@st.composite
def periods(draw: Any, interval: Any = INTERVALS) -> Period:
    starts_at = draw(MOMENTS)
    return Period(starts_at, period_end(starts_at, draw(interval), anchor_day=starts_at.day), starts_at.day)


SHARES = st.floats(0, 1, allow_nan=False)


# --- the arithmetic -------------------------------------------------------------------------------------


@given(PRICES, periods(), SHARES)
def test_the_unused_value_is_between_nothing_and_all(price: int, period: Period, share: float) -> None:
    left = unused_value(price, starts_at=period.starts_at, ends_at=period.ends_at, now=period.at(share))
    assert 0 <= left <= price


@given(PRICES, periods())
def test_all_of_it_is_unused_at_the_start_and_nothing_at_the_end(price: int, period: Period) -> None:
    both = {"starts_at": period.starts_at, "ends_at": period.ends_at}
    assert unused_value(price, **both, now=period.starts_at - timedelta(hours=1)) == price
    assert unused_value(price, **both, now=period.ends_at) == 0
    assert unused_value(price, **both, now=period.ends_at + timedelta(days=1)) == 0


@given(PRICES, PRICES, INTERVALS, INTERVALS, periods(), SHARES)
def test_a_change_never_costs_less_than_nothing(
    from_price: int, to_price: int, old: str, new: str, period: Period, share: float
) -> None:
    parts = prorate(
        from_price=from_price, to_price=to_price, from_interval=old, to_interval=new, starts_at=period.starts_at,
        ends_at=period.ends_at, anchor_day=period.anchor_day, now=period.at(share),
    )  # fmt: skip
    assert parts.total >= 0
    assert parts.total == max(parts.cost - parts.unused_value, 0)


@given(periods(), st.lists(SHARES, min_size=1, max_size=6), st.lists(PRICES, min_size=7, max_size=7))
def test_any_chain_of_upgrades_in_a_period_costs_its_time_weighted_prices(
    period: Period, shares: list[float], prices: list[int]
) -> None:
    """Within one rupiah per change, whatever the order of the moments: A to B to C, and on."""
    steps = list(zip(sorted(prices)[1:], sorted(shares), strict=False))
    paid = price = sorted(prices)[0]
    exact, since = Fraction(0), period.starts_at
    length = micros(period.ends_at - period.starts_at)
    for to_price, share in steps:
        now = period.at(share)
        parts = prorate(
            from_price=price, to_price=to_price, from_interval="MONTHLY", to_interval="MONTHLY",
            starts_at=period.starts_at, ends_at=period.ends_at, anchor_day=period.anchor_day, now=now,
        )  # fmt: skip
        assert (parts.period_started_at, parts.period_ends_at) == (period.starts_at, period.ends_at)
        exact += Fraction(price * micros(now - since), length)
        paid, price, since = paid + parts.total, to_price, now
    exact += Fraction(price * micros(period.ends_at - since), length)
    assert abs(paid - exact) <= len(steps)


def micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


@given(PRICES, PRICES, periods(st.just(Interval.MONTHLY)), SHARES)
def test_by_the_year_a_whole_year_begins_now_and_the_month_counts(
    monthly: int, yearly: int, period: Period, share: float
) -> None:
    now = period.at(share)
    parts = prorate(
        from_price=monthly, to_price=yearly, from_interval="MONTHLY", to_interval="YEARLY",
        starts_at=period.starts_at, ends_at=period.ends_at, anchor_day=period.anchor_day, now=now,
    )  # fmt: skip
    assert parts.cost == yearly
    assert parts.period_started_at == now
    assert 364 <= (parts.period_ends_at - now).days <= 366


# --- what leads up --------------------------------------------------------------------------------------


@pytest.mark.parametrize("old, new", product(product(PlanType, Interval), repeat=2))
def test_up_is_a_higher_tier_or_the_year_and_never_back_to_the_month(old: Any, new: Any) -> None:
    (from_tier, from_interval), (to_tier, to_interval) = old, new
    higher = list(PlanType).index(to_tier) > list(PlanType).index(from_tier)
    same = from_tier == to_tier
    longer = (from_interval, to_interval) == ("MONTHLY", "YEARLY")
    shorter = (from_interval, to_interval) == ("YEARLY", "MONTHLY")
    expected = (higher and not shorter) or (same and longer)
    assert expected == is_upgrade(
        from_tier=from_tier, to_tier=to_tier, from_interval=from_interval, to_interval=to_interval
    )


def plan(tier: str, service_id: Any, *, active: bool = True, yearly: bool = True) -> Plan:
    prices = [PlanPrice(amount=1, currency="IDR", interval="MONTHLY", active=True)]
    prices += [PlanPrice(amount=10, currency="IDR", interval="YEARLY", active=True)] if yearly else []
    order = list(PlanType).index(PlanType(tier))
    return Plan(service_id=service_id, plan_type=tier, active=active, prices=prices, sort_order=order)


def test_choices_are_what_is_sold_and_leads_up_lowest_first() -> None:
    service_id = uuid4()
    basic, pro = plan("BASIC", service_id), plan("PRO", service_id, yearly=False)
    gone, foreign = plan("PREMIUM", service_id, active=False), plan("ENTERPRISE", uuid4())
    on_basic: Any = SimpleNamespace(interval="MONTHLY")
    found = changes.choices(on_basic, basic, [foreign, gone, pro, basic, plan("FREE", service_id)])
    assert [(one.plan_type, interval) for one, interval in found] == [("BASIC", "YEARLY"), ("PRO", "MONTHLY")]


# --- states ---------------------------------------------------------------------------------------------

ALLOWED = {
    ("QUOTED", "RESIZING"), ("QUOTED", "DONE"), ("QUOTED", "LAPSED"), ("RESIZING", "DONE"),
    ("RESIZING", "ROLLING_BACK"), ("ROLLING_BACK", "ROLLED_BACK"),
}  # fmt: skip


@pytest.mark.parametrize("old, new", product(PlanChangeStatus, repeat=2))
def test_every_other_move_is_forbidden(old: PlanChangeStatus, new: PlanChangeStatus) -> None:
    assert changes.can_move(old, new) == ((old, new) in ALLOWED)


@pytest.mark.parametrize("status", [None, *PlanChangeStatus])
def test_time_waits_for_a_change_under_way_and_for_nothing_else(status: PlanChangeStatus | None) -> None:
    assert changes.blocks_renewal(status) == (status in UNDER_WAY)
    assert set(UNDER_WAY) == {"RESIZING", "ROLLING_BACK"}


def standing(status: str = "ACTIVE", *, cancelled: bool = False, over: bool = False) -> Any:
    ends_at = NOW if over else NOW + timedelta(microseconds=1)
    return SimpleNamespace(status=status, cancel_requested_at=NOW if cancelled else None, period_ends_at=ends_at)


@pytest.mark.parametrize("status, cancelled, over, under_way, ready", product(SubscriptionStatus, *[[False, True]] * 4))
def test_the_first_hurdle_is_named_and_an_active_one_without_any_may_change(
    status: str, cancelled: bool, over: bool, under_way: bool, ready: bool
) -> None:
    found = changes.hurdle(
        standing(status, cancelled=cancelled, over=over), under_way=under_way, apps_ready=ready, now=NOW
    )
    in_order = [
        (under_way, Hurdle.UNDER_WAY),
        (status != "ACTIVE", Hurdle.NOT_ACTIVE),
        (cancelled, Hurdle.CANCELLATION_REQUESTED),
        (over, Hurdle.RENEWAL_DUE),
        (not ready, Hurdle.APP_BUSY),
    ]
    assert found == next((hurdle for there, hurdle in in_order if there), None)


def app(*, resizing: bool, code: str | None = None) -> Any:
    return SimpleNamespace(resized_from_cpu_millicores=500 if resizing else None, failure_code=code)


@pytest.mark.parametrize(
    "apps, late, code, done",
    [
        ([], False, None, True),
        ([app(resizing=False)], True, None, True),  # ready wins over a deadline that passed while nobody looked
        ([app(resizing=True)], False, None, False),
        ([app(resizing=True)], True, "not_ready_in_time", False),
        ([app(resizing=True, code="crash_loop")], False, "crash_loop", False),
        ([app(resizing=False, code="crash_loop")], False, None, True),  # an outage after it had come up is not ours
        ([app(resizing=False), app(resizing=True, code="quota")], True, "quota", False),
    ],
)
def test_when_a_roll_out_of_several_apps_has_failed_or_is_done(
    apps: list[Any], late: bool, code: str | None, done: bool
) -> None:
    assert (changes.failure(apps, late=late), changes.all_resized(apps)) == (code, done)
