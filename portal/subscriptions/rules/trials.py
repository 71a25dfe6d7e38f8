"""Who is the same person for a trial: one spelling for every address and number that reach the same hands."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from portal.accounts.rules import normal_phone

DOTS_DO_NOT_COUNT = {"gmail.com", "googlemail.com"}
"""Source: https://support.google.com/mail/answer/7436150; both are one domain."""


class TrialStanding(StrEnum):
    """Whether somebody may try an app for free."""

    OPEN = "OPEN"
    UNVERIFIED = "UNVERIFIED"  # their e-mail address is not confirmed
    USED = "USED"  # they, or somebody with their address or number, have had the app before


def normal_address(email: str) -> str:
    """An e-mail address without what its owner may add at will: capitals, a +tag, and Gmail's dots."""
    local, _, domain = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def identities(email: str, phone: str | None) -> set[str]:
    """What stands for a person: their address, and their number if they gave one."""
    number = normal_phone(phone) if phone else None
    return {f"email:{normal_address(email)}"} | ({f"phone:{number}"} if number else set())


def trial_standing(*, verified: bool, had_before: bool) -> TrialStanding:
    """Once per app and person, through cancellations and changes of plan; and only for a confirmed address."""
    if had_before:
        return TrialStanding.USED
    return TrialStanding.OPEN if verified else TrialStanding.UNVERIFIED


def trial_end(now: datetime, *, days: int) -> datetime:
    """Whole days from now; Jakarta has no summer time."""
    return now + timedelta(days=days)
