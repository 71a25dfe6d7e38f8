"""Pure decisions about slots that somebody waits for: who is next, who may pass, what a free slot brings."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

LAUNCH_HOLDS_MAX = 2
"""Slots that one customer may hold while they pay: enough for two apps at once, too few to hoard."""


def slots_for_sale(free: int, *, ahead: int, held: bool = False) -> int:
    """How many slots this customer may take now.

    None of the free ones while somebody stands before them in the queue (`ahead`): a slot is offered in order. A slot
    that is held for them is theirs, whoever waits.
    """
    if held:
        return 1
    return 0 if ahead else max(free, 0)


def offered_with(total: int, *, used: int, waiting: int) -> int:
    """How many in line are served or offered a slot when a plan has `total` of them, `used` taken."""
    return min(max(total - used, 0), waiting)


def line_order(*, resumes: bool, joined_at: datetime, entry_id: UUID) -> tuple[bool, datetime, UUID]:
    """Who is served first: those whose suspended app waits for its slot, then whoever joined first."""
    return not resumes, joined_at, entry_id


class Serving(StrEnum):
    """What a free slot brings to the first in line."""

    LEAVES = "LEAVES"  # it can no longer be served: told why, and the next is looked at
    BY_ITSELF = "BY_ITSELF"  # subscribes or resumes at once
    OFFERED = "OFFERED"  # held for them until they say so


def serving(*, sold: bool, wanted: bool, by_itself: bool) -> Serving:
    """Of a plan that is still `sold` to someone who may still have it (`wanted`); `by_itself` was agreed before."""
    if not (sold and wanted):
        return Serving.LEAVES
    return Serving.BY_ITSELF if by_itself else Serving.OFFERED


def may_hold_another(held: int) -> bool:
    """May *pay and launch* hold one more slot for a customer who holds so many?"""
    return held < LAUNCH_HOLDS_MAX
