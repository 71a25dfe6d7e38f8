"""When a report begins and ends, and which reports are still to be made. Days are Jakarta's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from portal.core import clock
from portal.insights.models import ReportKind

DAY_ENDS_AT = time(23)
"""The daily summary goes out then and covers the 24 hours before, so that every hour is in exactly one of them."""
DAYS_BACK = 14
MONTHS_BACK = 3


@dataclass(frozen=True)
class Period:
    """What a report covers: from `begins_at` up to, but without, `ends_at`."""

    kind: ReportKind
    begins_on: date
    begins_at: datetime
    ends_at: datetime


def day_of(on: date) -> Period:
    """The business day that ends at 23:00 of `on`."""
    ends_at = datetime.combine(on, DAY_ENDS_AT, clock.JAKARTA)
    return Period(ReportKind.DAY, on, ends_at - timedelta(days=1), ends_at)


def month_of(on: date) -> Period:
    """The calendar month in which `on` is."""
    first = on.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(ReportKind.MONTH, first, _midnight(first), _midnight(following))


def days_due(moment: datetime) -> list[Period]:
    """Every day that had ended at `moment`, as far back as a missed one is made up for; oldest first."""
    last = clock.today(moment + timedelta(hours=1)) - timedelta(days=1)
    return [day_of(last - timedelta(days=back)) for back in reversed(range(DAYS_BACK))]


def months_due(moment: datetime) -> list[Period]:
    """Likewise every month that had ended."""
    found: list[Period] = []
    first = clock.today(moment).replace(day=1)
    for _ in range(MONTHS_BACK):
        first = (first - timedelta(days=1)).replace(day=1)
        found.insert(0, month_of(first))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), clock.JAKARTA)
