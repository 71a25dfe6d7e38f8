"""What a round of health checks means: which silence is an outage, whose it is, and when people are told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

INTERVAL = timedelta(minutes=5)
OUTAGE_AFTER = 3
"""Silent checks in a row: one lost answer, or a restart of our own, is no outage."""

STALE_AFTER = 3 * INTERVAL
"""Checks further apart are not in a row: the app was stopped, or nobody asked, in between."""

WIDESPREAD_MIN = 3
PAUSE, LONG_PAUSE = timedelta(hours=1), timedelta(hours=6)
"""An app that comes and goes is told of at once, an hour later at the earliest, then every six hours of a day."""


@dataclass(frozen=True)
class Due:
    """An app to ask: `out` when it is known to be down already."""

    id: UUID
    name: str
    out: bool = False


@dataclass(frozen=True)
class Check:
    """What one app's address said. `took_ms` counts only where it answered."""

    due: Due
    answered: bool
    took_ms: int = 0


def is_widespread(checks: Sequence[Check]) -> bool:
    """Most apps went silent together: the way to them is broken, not each of them.

    Apps known to be down say nothing about the way, so they count neither here nor there.
    """
    known_well = [check for check in checks if not check.due.out]
    silent = sum(not check.answered for check in known_well)
    return silent >= WIDESPREAD_MIN and 2 * silent > len(known_well)


def may_tell(told_at: Sequence[datetime], *, now: datetime) -> bool:
    """Whether a customer may hear of an outage now. `told_at`: when they heard of earlier ones of the same app."""
    lately = [moment for moment in told_at if now - moment < timedelta(days=1)]
    if not lately:
        return True
    return now - max(lately) >= (PAUSE if len(lately) == 1 else LONG_PAUSE)


def availability_permille(asked: int, answered: int) -> int | None:
    """How often it answered, of a thousand; rounded down, so that 1000 means always. None when nobody asked."""
    return answered * 1000 // asked if asked else None


def minutes_down(began_at: datetime, ended_at: datetime) -> int:
    """How long an outage lasted, in whole minutes, at least one."""
    return max(1, (ended_at - began_at) // timedelta(minutes=1))
