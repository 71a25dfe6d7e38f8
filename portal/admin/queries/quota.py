"""Reads of slots and of those who wait for one, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer
from portal.catalog.errors import PlanNotSold
from portal.catalog.models import Plan, Service
from portal.subscriptions.models import (
    IN_LINE,
    UNDER_WAY,
    IntentStatus,
    LaunchIntent,
    PlanChange,
    Subscription,
    WaitlistEntry,
    WaitlistStatus,
)
from portal.web.listings import Listing

LINE_MAX = 200
"""More than these nobody reads; the rest is counted."""


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted: words in the service's name, and `full` or `waited` plans alone."""

    search: str | None = None
    state: str | None = None


def listing(wanted: Wanted) -> Listing:
    """Plans with their slots, what holds those, and how many wait."""
    return Listing(
        _plans(wanted),
        Plan.id,
        {"app": sa.func.lower(Service.name), "free": _free(), "waiting": _waiting()},
        default="app",
    )


def _plans(wanted: Wanted) -> Any:
    statement = sa.select(
        Plan, Service.name.label("app"), Service.slug, _free().label("free"), _waiting().label("waiting"),
        *(count.label(name) for name, count in _holders().items()),
    ).join(Service, Service.id == Plan.service_id)  # fmt: skip
    if wanted.search:
        statement = statement.where(
            *(Service.search_text.contains(word, autoescape=True) for word in wanted.search.lower().split())
        )
    if wanted.state == "full":
        statement = statement.where(Plan.slots_used >= Plan.slots_total)
    if wanted.state == "waited":
        statement = statement.where(_waiting() > 0)
    return statement


def _free() -> Any:
    return Plan.slots_total - Plan.slots_used


def _waiting() -> Any:
    return _count(WaitlistEntry.plan_id, WaitlistEntry.status == WaitlistStatus.WAITING)


def _holders() -> dict[str, Any]:
    """What holds the used slots; the books audit proves that these are all."""
    return {
        "subscriptions": _count(Subscription.plan_id, Subscription.holds_slot),
        "upgrades": _count(
            PlanChange.to_plan_id, PlanChange.status.in_(UNDER_WAY), PlanChange.to_plan_id != PlanChange.from_plan_id
        ),
        "offers": _count(WaitlistEntry.plan_id, WaitlistEntry.status == WaitlistStatus.OFFERED),
        "holds": _count(
            LaunchIntent.plan_id, LaunchIntent.status == IntentStatus.WAITING, LaunchIntent.hold_ends_at.is_not(None)
        ),
    }


def _count(of: Any, *conditions: Any) -> Any:
    return sa.select(sa.func.count()).where(of == Plan.id, *conditions).correlate(Plan).scalar_subquery()


def plan(session: Session, plan_id: UUID) -> Any:
    """A plan's row of the list, with its service; raises `PlanNotSold`."""
    statement = _plans(Wanted()).where(Plan.id == plan_id).options(joinedload(Plan.service))
    row = session.execute(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise PlanNotSold
    return row


def line(session: Session, plan_id: UUID) -> Sequence[Any]:
    """Who waits, in the order in which they are served, open offers first; at most `LINE_MAX`."""
    statement = (
        sa.select(WaitlistEntry, Customer.name, Customer.number)
        .join(Customer, Customer.id == WaitlistEntry.customer_id)
        .where(WaitlistEntry.plan_id == plan_id, WaitlistEntry.status.in_(IN_LINE))
        .order_by(
            WaitlistEntry.status != WaitlistStatus.OFFERED, WaitlistEntry.resumes_id.is_(None),
            WaitlistEntry.joined_at, WaitlistEntry.id,
        )
        .limit(LINE_MAX)
    )  # fmt: skip
    return session.execute(statement.execution_options(populate_existing=True)).all()
