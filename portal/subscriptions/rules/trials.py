"""Who may try an app for free, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class TrialStanding(StrEnum):
    """Whether somebody may try an app for free."""

    OPEN = "OPEN"
    UNVERIFIED = "UNVERIFIED"  # their e-mail address is not confirmed
    USED = "USED"  # they, or somebody with their address or number, have had the app before


def trial_standing(*, verified: bool, had_before: bool) -> TrialStanding:
    """Once per app and person, through cancellations and changes of plan; and only for a confirmed address."""
    if had_before:
        return TrialStanding.USED
    return TrialStanding.OPEN if verified else TrialStanding.UNVERIFIED


def trial_end(now: datetime, *, days: int) -> datetime:
    """Whole days from now; Jakarta has no summer time."""
    return now + timedelta(days=days)
