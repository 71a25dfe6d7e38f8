"""Reads of queued and periodic work, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.core import job_runs, schedules
from portal.core.job_runs import JobRun
from portal.core.outbox import OutboxMessage
from portal.core.schedules import Late, Periodic
from portal.web.listings import Listing


class State(StrEnum):
    """What becomes of a piece of work: one of these at any moment."""

    WAITING = "WAITING"  # its time has not come
    DUE = "DUE"
    RUNNING = "RUNNING"  # a worker holds its lease
    FAILED = "FAILED"  # all attempts are used up
    GIVEN_UP = "GIVEN_UP"  # by a person
    DONE = "DONE"


OPEN = sa.and_(OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None))
ENDED_BADLY = sa.and_(OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_not(None))
"""Each is the condition of a small index: the many rows of finished work are never read."""


@dataclass(frozen=True)
class Line:
    """A line of the schedule with what is known of its runs."""

    entry: Periodic
    last: JobRun | None
    next_at: datetime
    late: Late | None


def counts(session: Session, *, now: datetime) -> dict[State, int]:
    """How much work is in each state but done."""
    states = {state: sa.func.count().filter(is_in(state, now)) for state in State if state is not State.DONE}
    row = session.execute(sa.select(*states.values()).where(sa.or_(OPEN, ENDED_BADLY))).one()
    return dict(zip(states, row, strict=True))


def oldest_due(session: Session, *, now: datetime) -> datetime | None:
    """Since when the oldest piece of due work waits."""
    return session.scalar(sa.select(sa.func.min(OutboxMessage.run_at)).where(OPEN, OutboxMessage.run_at <= now))


def is_in(state: State, now: datetime) -> Any:
    """The condition that a piece of work is in a state."""
    leased = sa.func.coalesce(OutboxMessage.claimed_until > now, sa.false())
    return {
        State.WAITING: sa.and_(OPEN, ~leased, OutboxMessage.run_at > now),
        State.DUE: sa.and_(OPEN, ~leased, OutboxMessage.run_at <= now),
        State.RUNNING: sa.and_(OPEN, leased),
        State.FAILED: sa.and_(ENDED_BADLY, OutboxMessage.given_up_at.is_(None)),
        State.GIVEN_UP: sa.and_(ENDED_BADLY, OutboxMessage.given_up_at.is_not(None)),
        State.DONE: OutboxMessage.done_at.is_not(None),
    }[state]


def state_of(message: OutboxMessage, now: datetime) -> State:
    """The state of one that was read."""
    if message.done_at is not None:
        return State.DONE
    if message.failed_at is not None:
        return State.GIVEN_UP if message.given_up_at else State.FAILED
    if message.claimed_until is not None and message.claimed_until > now:
        return State.RUNNING
    return State.DUE if message.run_at <= now else State.WAITING


def listing(*, state: State | None, name: str | None, now: datetime) -> Listing:
    """Work in a state, or all that is not done. Ids are made in the order of time."""
    statement = sa.select(OutboxMessage).where(is_in(state, now) if state else sa.or_(OPEN, ENDED_BADLY))
    if name:
        statement = statement.where(OutboxMessage.name.startswith(name.strip(), autoescape=True))
    sorts = {"created": OutboxMessage.id}
    if state is not State.DONE:
        sorts["due"] = OutboxMessage.run_at  # type: ignore[assignment]
    return Listing(statement, OutboxMessage.id, sorts, default="-created")


def message(session: Session, message_id: UUID) -> OutboxMessage | None:
    return session.get(OutboxMessage, message_id)


def names(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What each of these pieces of work is, for a preview."""
    rows = session.scalars(sa.select(OutboxMessage).where(OutboxMessage.id.in_(ids)))
    return {row.id: f"{row.name} {arguments(row)}".strip() for row in rows}


def arguments(message: OutboxMessage) -> str:
    """`payment_id=…`: what the work is about."""
    return " ".join(f"{name}={value}" for name, value in message.arguments.items())


def schedule(session: Session, *, now: datetime) -> list[Line]:
    """Every line of the schedule."""
    entries = schedules.entries()
    last = job_runs.last_ended(session, [entry.name for entry in entries])
    late = {one.name: one for one in schedules.late(session, entries, now=now)}
    return [
        Line(entry, last.get(entry.name), schedules.next_moment(entry, now), late.get(entry.name)) for entry in entries
    ]


def line(session: Session, name: str, *, now: datetime) -> Line | None:
    """One line of the schedule."""
    return next((one for one in schedule(session, now=now) if one.entry.name == name), None)
