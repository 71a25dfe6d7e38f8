"""The only reader of the machine's clock. Edges read it once and pass `now` down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

JAKARTA = ZoneInfo("Asia/Jakarta")
"""WIB, UTC+7 without daylight saving: the zone of calendar days and of everything shown."""

_offset = timedelta(0)
_frozen_at: datetime | None = None


def now() -> datetime:
    """This instant, aware, in UTC."""
    return (_frozen_at or datetime.now(UTC)) + _offset


def today(instant: datetime | None = None) -> date:
    """The calendar day in Jakarta of `instant` (default: this instant)."""
    return (instant or now()).astimezone(JAKARTA).date()


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Stands still at `instant` (aware); tests and simulations only."""
    global _frozen_at, _offset
    before = (_frozen_at, _offset)
    _frozen_at, _offset = instant.astimezone(UTC), timedelta(0)
    try:
        yield
    finally:
        _frozen_at, _offset = before


def advance(by: timedelta) -> None:
    """Moves the clock forward inside `at`; tests and simulations only."""
    global _offset
    _offset += by


def reset() -> None:
    """Back to the machine's own time."""
    global _frozen_at, _offset
    _frozen_at, _offset = None, timedelta(0)
