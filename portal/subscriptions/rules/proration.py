"""What is left of a period, in whole rupiah: the arithmetic of upgrades and of refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.catalog.models import Interval, PlanType
from portal.core.clock import today
from portal.subscriptions.rules.periods import period_end

TIERS = tuple(PlanType)


def unused_value(price: int, *, starts_at: datetime, ends_at: datetime, now: datetime) -> int:
    """The share of `price` for what is left of the period, rounded down; nothing after its end, all before its start.

    By the microsecond, so that changes within a period add up to time-weighted prices within a rupiah each.
    """
    length, left = ends_at - starts_at, ends_at - min(max(now, starts_at), ends_at)
    return price * _microseconds(left) // _microseconds(length)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


@dataclass(frozen=True)
class Proration:
    """A change of plan taken apart: `total` is charged, and the period is as it will be."""

    unused_value: int
    cost: int
    period_started_at: datetime
    period_ends_at: datetime
    anchor_day: int

    @property
    def total(self) -> int:
        """Never negative: what an old plan is worth more is not paid out."""
        return max(self.cost - self.unused_value, 0)


def prorate(
    *,
    from_price: int,
    to_price: int,
    from_interval: str,
    to_interval: str,
    starts_at: datetime,
    ends_at: datetime,
    anchor_day: int,
    now: datetime,
) -> Proration:
    """The price of changing now. Same interval: the rest of the period at the new price, which keeps its end.
    Another interval: a whole new period that begins now."""
    unused = unused_value(from_price, starts_at=starts_at, ends_at=ends_at, now=now)
    if from_interval == to_interval:
        cost = unused_value(to_price, starts_at=starts_at, ends_at=ends_at, now=now)
        return Proration(unused, cost, starts_at, ends_at, anchor_day)
    day = today(now).day
    return Proration(unused, to_price, now, period_end(now, to_interval, anchor_day=day), day)


def is_upgrade(*, from_tier: str, to_tier: str, from_interval: str, to_interval: str) -> bool:
    """A higher tier, or the same one by the year instead of by the month. Never from yearly to monthly."""
    if from_interval == Interval.YEARLY and to_interval == Interval.MONTHLY:
        return False
    step = TIERS.index(PlanType(to_tier)) - TIERS.index(PlanType(from_tier))
    return step > 0 or (step == 0 and from_interval != to_interval)
