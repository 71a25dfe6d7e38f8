"""Periods of a subscription: calendar months and years in Jakarta that keep their day."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time

from portal.catalog.models import Interval
from portal.core.clock import JAKARTA

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
