"""Pure decisions about delivery: how long to wait for a mail server that is away, and when to give up."""

from __future__ import annotations

from datetime import timedelta

PAUSES = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1_800)]
PAUSE_MAX = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=2)


def pause_before_next(attempts: int, *, age: timedelta) -> timedelta | None:
    """How long to wait after `attempts` tries that met a passing fault; None: give the mail up.

    5 s, 30 s, 2 min, 10 min, 30 min, then hourly until the mail is two days old: a mail server that is away for
    a night loses nothing.
    """
    if age >= GIVE_UP_AFTER:
        return None
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else PAUSE_MAX
