"""How a change of plan is coming along, as steps people can follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import show as worded
from portal.subscriptions.models import PlanChange, PlanChangeStatus
from portal.subscriptions.rules.changes import blocks_renewal

PAID = _l("Paid, and a place reserved")
RESIZED = _l("Your app comes up with more processor and memory")
GROWN = _l("Its volume grows, last of all: it never shrinks")
DONE = _l("You are on the new plan")
FAILED = _l("It did not work out, so we go back")
REFUNDED = _l("Your money is back in your wallet")
BACK = _l("Your app comes up as it was before")


@dataclass(frozen=True)
class Step:
    """One line of the timeline: `state` is done, now, todo or failed."""

    title: Any
    state: str
    at: datetime | None = None
    text: Any = ""


def progress_of(change: PlanChange) -> dict[str, Any]:
    """What the region of a confirmed change is given."""
    return {
        "change": change,
        "steps": steps(change),
        "unfinished": blocks_renewal(change.status),
        "reason": worded("reason", change.failure_code) if change.failure_code else "",
    }


def steps(change: PlanChange) -> list[Step]:
    """Of a confirmed change: what is done, what is under way, what comes."""
    paid = Step(PAID, "done", change.confirmed_at)
    if change.status in (PlanChangeStatus.ROLLING_BACK, PlanChangeStatus.ROLLED_BACK):
        back = "done" if change.ended_at else "now"
        return [paid, Step(FAILED, "failed"), Step(REFUNDED, "done"), Step(BACK, back, change.ended_at)]
    done = change.status == PlanChangeStatus.DONE
    resized = "done" if change.volumes_at or done else "now"
    grown = "done" if done else ("now" if change.volumes_at else "todo")
    ending = Step(DONE, "done" if done else "todo", change.ended_at)
    return [paid, Step(RESIZED, resized, change.volumes_at), Step(GROWN, grown), ending]
