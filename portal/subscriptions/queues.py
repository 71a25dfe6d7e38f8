"""Reads of the waitlists: who is next, who stands before whom, and what a customer waits for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Select, and_, bindparam, func, literal, not_, or_, select, tuple_
from sqlalchemy.orm import Session, aliased, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from portal.catalog.models import Plan, Service
from portal.core.money import Money
from portal.subscriptions.errors import WaitlistEntryNotFound
from portal.subscriptions.models import IN_LINE, IntentStatus, LaunchIntent, WaitlistEntry, WaitlistStatus

Wait = TypeVar("Wait", LaunchIntent, WaitlistEntry)


def _line_order(entry: type[WaitlistEntry]) -> tuple[ColumnElement[bool], ColumnElement[object], ColumnElement[UUID]]:
    """`rules.line_order` for the database."""
    return entry.resumes_id.is_(None), entry.joined_at, entry.id  # type: ignore[return-value]


def first_in_line(session: Session, plan_id: UUID) -> WaitlistEntry | None:
    """Who is dealt with next; None when nobody waits. Locks nothing.

    In the queue of a plan that is no longer sold that is whoever is new, to be told so: they need no slot for it, and
    must not stand behind those who resume and wait for one.
    """
    withdrawn = ~and_(Plan.active, Service.active)
    statement = (
        select(WaitlistEntry)
        .join(Plan, Plan.id == WaitlistEntry.plan_id)
        .join(Service, Service.id == Plan.service_id)
        .where(WaitlistEntry.plan_id == plan_id, WaitlistEntry.status == WaitlistStatus.WAITING)
        .order_by(and_(withdrawn, WaitlistEntry.resumes_id.is_not(None)), *_line_order(WaitlistEntry))
        .limit(1)
    )
    return session.scalar(statement.execution_options(populate_existing=True))


def ahead_of(customer_id: UUID, plan_id: UUID, *, resuming: bool = False) -> ColumnElement[int]:
    """How many of other customers stand before this one in the plan's queue: all, for who is not in it.

    Who is `resuming` a suspended app and does not stand in line comes before all that do not resume.
    """
    return _ahead_of(customer_id, plan_id, literal(resuming))


def count_ahead(session: Session, customer_id: UUID, plan_id: UUID, *, resuming: bool = False) -> int:
    """`ahead_of`, asked by itself."""
    asked = {"customer_id": customer_id, "plan_id": plan_id, "resuming": resuming}
    return session.scalar(_count_ahead(), asked) or 0


@cache
def _count_ahead() -> Select[int]:
    """Built once: every purchase asks."""
    return select(_ahead_of(bindparam("customer_id"), bindparam("plan_id"), bindparam("resuming", type_=Boolean)))


def _ahead_of(customer_id: Any, plan_id: Any, resuming: ColumnElement[bool]) -> ColumnElement[int]:
    own, other = aliased(WaitlistEntry), aliased(WaitlistEntry)
    mine = and_(own.plan_id == plan_id, own.customer_id == customer_id, own.status == WaitlistStatus.WAITING)
    passing = and_(own.id.is_(None), or_(not_(resuming), other.resumes_id.is_not(None)))
    earlier = tuple_(*_line_order(other)) < tuple_(*_line_order(own))
    statement = (
        select(func.count())
        .select_from(other)
        .outerjoin(own, mine)
        .where(
            other.plan_id == plan_id,
            other.status == WaitlistStatus.WAITING,
            other.customer_id != customer_id,
            or_(passing, earlier),
        )
    )
    return statement.scalar_subquery()


def waiting_counts(session: Session, plan_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many wait for each of these plans; a plan nobody waits for is not in it."""
    statement = (
        select(WaitlistEntry.plan_id, func.count())
        .where(WaitlistEntry.plan_id.in_(list(plan_ids)), WaitlistEntry.status == WaitlistStatus.WAITING)
        .group_by(WaitlistEntry.plan_id)
    )
    return dict(session.execute(statement).tuples().all())


def plans_to_look_at(session: Session) -> Sequence[UUID]:
    """Plans with a queue that something can be done for: a slot is free, or the plan is no longer sold."""
    statement = (
        select(Plan.id)
        .join(Service, Service.id == Plan.service_id)
        .where(
            select(WaitlistEntry.id)
            .where(WaitlistEntry.plan_id == Plan.id, WaitlistEntry.status == WaitlistStatus.WAITING)
            .exists(),
            or_(Plan.slots_used < Plan.slots_total, ~Plan.active, ~Service.active),
        )
        .order_by(Plan.id)
    )
    return session.scalars(statement).all()


@dataclass(frozen=True)
class Place:
    """A customer's place in a queue, as a page shows it. `ahead` counts who is served before them."""

    entry: WaitlistEntry
    ahead: int

    @property
    def position(self) -> int:
        return self.ahead + 1

    @property
    def held(self) -> Money:
        return Money(self.entry.held)


def waits(session: Session, customer_id: UUID) -> tuple[list[LaunchIntent], list[Place]]:
    """What a customer waits for, with plan and service, in one query: launches that wait for credit, the oldest
    first, and places in queues, open offers first."""
    intent = and_(
        LaunchIntent.plan_id == Plan.id,
        LaunchIntent.customer_id == customer_id,
        LaunchIntent.status == IntentStatus.WAITING,
    )
    entry = and_(
        WaitlistEntry.plan_id == Plan.id,
        WaitlistEntry.customer_id == customer_id,
        WaitlistEntry.status.in_(IN_LINE),
    )
    statement = (
        select(Plan, LaunchIntent, WaitlistEntry, _ahead())
        .options(joinedload(Plan.service))
        .outerjoin(LaunchIntent, intent)
        .outerjoin(WaitlistEntry, entry)
        .where(or_(LaunchIntent.id.is_not(None), WaitlistEntry.id.is_not(None)))
        .execution_options(populate_existing=True)
    )
    intents, places = [], []
    for plan, intent_found, entry_found, ahead in session.execute(statement):
        if intent_found is not None:
            intents.append(_with_plan(intent_found, plan))
        if entry_found is not None:
            places.append(Place(_with_plan(entry_found, plan), ahead))
    return sorted(intents, key=lambda one: (one.created_at, one.id)), sorted(places, key=_urgency)


def _with_plan(wait: Wait, plan: Plan) -> Wait:
    set_committed_value(wait, "plan", plan)
    return wait


def _urgency(place: Place) -> tuple[bool, datetime]:
    return not place.entry.holds_slot, place.entry.offer_ends_at or place.entry.joined_at


def _ahead() -> ColumnElement[int]:
    other = aliased(WaitlistEntry)
    statement = (
        select(func.count())
        .select_from(other)
        .where(
            other.plan_id == WaitlistEntry.plan_id,
            other.status == WaitlistStatus.WAITING,
            tuple_(*_line_order(other)) < tuple_(*_line_order(WaitlistEntry)),
        )
    )
    return statement.correlate(WaitlistEntry).scalar_subquery()


def own_entry(session: Session, entry_id: UUID, customer_id: UUID) -> WaitlistEntry:
    """One of the customer's own places, also one that was left; `WaitlistEntryNotFound` for anybody else's."""
    statement = select(WaitlistEntry).where(WaitlistEntry.id == entry_id, WaitlistEntry.customer_id == customer_id)
    entry = session.scalar(statement)
    if entry is None:
        raise WaitlistEntryNotFound
    return entry


def offers_ended(session: Session, *, now: datetime) -> Sequence[UUID]:
    """Ids of offers whose time is up, the longest overdue first."""
    statement = select(WaitlistEntry.id).where(
        WaitlistEntry.status == WaitlistStatus.OFFERED, WaitlistEntry.offer_ends_at <= now
    )
    return session.scalars(statement.order_by(WaitlistEntry.offer_ends_at, WaitlistEntry.id)).all()
