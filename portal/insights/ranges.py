"""Ranges of calendar days in Jakarta: the words of an address, the range before, and the pieces a chart is drawn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from portal.core import clock

DEFAULT = "30d"
DAYS_MAX = 1100
DAYS_SHOWN_MAX = 92
"""A longer range is shown by month."""
LENGTHS = {"7d": 7, "30d": 30, "90d": 90}
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Range:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Range:
        """As many days, right before: what this one is compared with."""
        return Range(self.first - self.days * ONE_DAY, self.first - ONE_DAY)

    def pieces(self) -> list[Range]:
        """The days of a short range; of a long one its months, cut at both ends."""
        if self.days <= DAYS_SHOWN_MAX:
            return [Range(day, day) for day in self.each_day()]
        found, first = [], self.first
        while first <= self.last:
            following = month_after(first)
            found.append(Range(first, min(following - ONE_DAY, self.last)))
            first = following
        return found

    def each_day(self) -> Iterator[date]:
        return (self.first + number * ONE_DAY for number in range(self.days))


def read(word: str, first: date | None, last: date | None, *, today: date) -> tuple[str, Range]:
    """The range an address asks for, and its word; one that makes no sense is the last 30 days.

    A custom one is at most `DAYS_MAX` days and never reaches beyond today.
    """
    if word == "custom" and first is not None and last is not None:
        last = min(last, today)
        if first <= last:
            return word, Range(max(first, last - (DAYS_MAX - 1) * ONE_DAY), last)
    if word == "month":
        return word, Range(today.replace(day=1), today)
    if word == "last_month":
        end = today.replace(day=1) - ONE_DAY
        return word, Range(end.replace(day=1), end)
    if word == "year":
        return word, Range(today.replace(month=1, day=1), today)
    word = word if word in LENGTHS else DEFAULT
    return word, Range(today - (LENGTHS[word] - 1) * ONE_DAY, today)


def month_after(day: date) -> date:
    """The first day of the following month."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def midnight(day: date) -> datetime:
    """When a day begins in Jakarta."""
    return datetime.combine(day, time(0), clock.JAKARTA)
