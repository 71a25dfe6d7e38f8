"""Pure decisions about subscriptions: periods, quotes, what a purchase would do, how far credit reaches."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum

from portal.catalog.models import Interval
from portal.core.clock import JAKARTA, today
from portal.core.money import Money
from portal.subscriptions.models import HOLDS_SLOT

MONTHS = {Interval.MONTHLY: 1, Interval.YEARLY: 12}


def add_months(day: date, months: int, *, anchor_day: int) -> date:
    """The day `months` later that keeps the anchor: 31 Jan, 28 Feb, 31 Mar."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor_day, last))


def period_end(started_at: datetime, interval: str, *, anchor_day: int) -> datetime:
    """The instant the period that began at `started_at` ends: same Jakarta time of day, on the anchor day."""
    local = started_at.astimezone(JAKARTA)
    day = add_months(local.date(), MONTHS[Interval(interval)], anchor_day=anchor_day)
    return datetime.combine(day, time(local.hour, local.minute, local.second, local.microsecond), JAKARTA)


class Obstacle(StrEnum):
    """Why a purchase cannot go through right now, in the order in which it matters to the customer."""

    DUPLICATE = "DUPLICATE"
    SOLD_OUT = "SOLD_OUT"
    SHORT_OF_CREDIT = "SHORT_OF_CREDIT"


@dataclass(frozen=True)
class Quote:
    """What a subscription costs now, and what it leaves. The quoted total is the charged total."""

    price: Money
    setup_fee: Money
    ppn: Money  # contained in the total
    balance: Money
    period_ends_at: datetime

    @property
    def total(self) -> Money:
        return self.price + self.setup_fee

    @property
    def balance_after(self) -> Money:
        return self.balance - self.total

    @property
    def shortfall(self) -> Money:
        return max(self.total - self.balance, Money(0, self.total.currency))


def obstacle(quote: Quote, *, slots_available: int, has_live_one: bool) -> Obstacle | None:
    """The first thing that stands between the customer and the app; None when the purchase may go through."""
    if has_live_one:
        return Obstacle.DUPLICATE
    if slots_available <= 0:
        return Obstacle.SOLD_OUT
    if quote.shortfall:
        return Obstacle.SHORT_OF_CREDIT
    return None


def top_up_for(shortfall: Money, *, smallest: Money) -> Money:
    """What *pay and launch* asks for: the shortfall, or the smallest top-up when that is less."""
    return max(shortfall, smallest)


@dataclass(frozen=True)
class Renewal:
    """What renews by itself: the next charge of an app, and how it goes on."""

    app: str
    price: Money
    due_at: datetime
    interval: str
    anchor_day: int


@dataclass(frozen=True)
class Runway:
    """How far the credit reaches: `until` the renewal that cannot be paid. None: past the horizon.

    `missing` is what pays everything that falls due on that day.
    """

    until: datetime | None
    first_to_stop: str | None
    missing: Money


RUNWAY_MONTHS_MAX = 24


def runway(balance: Money, renewals: Sequence[Renewal], *, now: datetime) -> Runway | None:
    """Plays the coming renewals in the order they fall due; None when nothing that costs money renews.

    Past `RUNWAY_MONTHS_MAX` nobody needs the day.
    """
    nothing = Money(0, balance.currency)
    due = sorted((renewal for renewal in renewals if renewal.price), key=_falls_due)
    if not due:
        return None
    horizon = add_months(today(now), RUNWAY_MONTHS_MAX, anchor_day=31)
    while today(due[0].due_at) <= horizon:
        first = due[0]
        if first.price > balance:
            owed = sum((other.price for other in due if today(other.due_at) <= today(first.due_at)), nothing)
            return Runway(first.due_at, first.app, owed - balance)
        balance -= first.price
        due = sorted([*due[1:], _renewed(first)], key=_falls_due)
    return Runway(None, None, nothing)


def _falls_due(renewal: Renewal) -> tuple[datetime, str]:
    return renewal.due_at, renewal.app


def _renewed(renewal: Renewal) -> Renewal:
    return replace(renewal, due_at=period_end(renewal.due_at, renewal.interval, anchor_day=renewal.anchor_day))


def may_add_instance(status: str, *, present: int, most: int) -> bool:
    """May one more app run under this subscription?"""
    return status in HOLDS_SLOT and present < most
