"""Work queued in the same transaction as its cause, so that it is never lost and never invented.

`enqueue` writes a row; after the commit the row's id becomes the id of an RQ job. Whoever runs it claims the row
first, so a second run of the same message waits for the first one's lease. Redis may lose everything: `sweep` pushes
again what is due and not done.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from flask import current_app
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import ColumnElement, Index, String, Text, cast, exists, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core import clock
from portal.core.db import Base, Identified, transaction
from portal.core.ids import new_id
from portal.core.rows import insert_all

log = structlog.get_logger()

JOB_TIMEOUT_S = 120
LEASE = timedelta(seconds=JOB_TIMEOUT_S + 30)
PUSH_AGAIN_AFTER = timedelta(minutes=2)
ATTEMPTS_MAX = 12
PUSHED_AT_ONCE_MAX = 50
QUEUES = ("urgent", "default", "slow")
"""Names in the order a worker serves them."""


class OutboxMessage(Identified, Base):
    """One piece of work: the job's name, its arguments, when it is due and how it ended."""

    __tablename__ = "outbox_message"
    __table_args__ = (
        Index("ix_outbox_message_due", "run_at", postgresql_where=text("done_at IS NULL AND failed_at IS NULL")),
        Index("ix_outbox_message_failed", "failed_at", "id", postgresql_where=text("failed_at IS NOT NULL")),
    )

    name: Mapped[str] = mapped_column(String(80))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    queue: Mapped[str] = mapped_column(String(20), default="default")
    unique_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]
    run_at: Mapped[datetime]
    pushed_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]  # when a person decided that it shall not be tried again


@dataclass(frozen=True)
class Claim:
    """A message this process may run now, until its lease ends."""

    id: UUID
    name: str
    arguments: dict[str, Any]
    attempts: int  # in a row, this one included
    queued_at: datetime
    until: datetime  # the lease's end; no other claim of the message has the same


_current: ContextVar[Claim | None] = ContextVar("outbox_claim", default=None)


def enqueue(
    session: Session,
    name: str,
    *,
    run_at: datetime | None = None,
    queue: str = "default",
    unique_key: str | None = None,
    **arguments: Any,
) -> UUID | None:
    """Queues `jobs.<name>(**arguments)` with the surrounding transaction; arguments are ids and short strings.

    With `unique_key` a repeat queues nothing and returns None.
    """
    assert queue in QUEUES, queue
    now = clock.now()
    message = OutboxMessage(
        id=new_id(), name=name, arguments=_plain(arguments), queue=queue, unique_key=unique_key, created_at=now,
        run_at=run_at or now,
    )  # fmt: skip
    if unique_key is not None:
        return _enqueue_once(session, message)
    session.add(message)
    session.info.setdefault("unpushed", []).append(message)
    return message.id


def _enqueue_once(session: Session, message: OutboxMessage) -> UUID | None:
    values = {
        "id": message.id,
        "name": message.name,
        "arguments": message.arguments,
        "queue": message.queue,
        "unique_key": message.unique_key,
        "created_at": message.created_at,
        "run_at": message.run_at,
        "attempts": 0,
    }
    statement = upsert(OutboxMessage).values(values).on_conflict_do_nothing(index_elements=["unique_key"])
    stored = session.scalar(statement.returning(OutboxMessage.id))
    if stored is not None:
        session.info.setdefault("unpushed", []).append(message)
    return stored


@dataclass(frozen=True)
class Work:
    """One piece of work to queue: `jobs.<name>(**arguments)`."""

    name: str
    arguments: dict[str, Any]
    queue: str = "default"
    run_at: datetime | None = None


def enqueue_all(session: Session, work: Sequence[Work]) -> None:
    """`enqueue` for many at once, without unique keys.

    More than `PUSHED_AT_ONCE_MAX` are left to the sweeper, which hands over some hundreds at a time: a night's invoices
    never stand in the queue before what a customer has just clicked.
    """
    now = clock.now()
    rows = [
        {
            "id": new_id(), "name": each.name, "arguments": _plain(each.arguments), "queue": each.queue,
            "created_at": now, "run_at": each.run_at or now,
        }
        for each in work
    ]  # fmt: skip
    insert_all(session, OutboxMessage, rows)
    if len(rows) <= PUSHED_AT_ONCE_MAX:
        session.info.setdefault("unpushed", []).extend(OutboxMessage(**row) for row in rows)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, UUID) else value for key, value in arguments.items()}


def push(messages: Iterable[OutboxMessage]) -> int:
    """Hands committed messages to RQ, all in one round trip; returns how many.

    Redis being away is logged: the sweeper comes again.
    """
    messages = list(messages)
    if not messages:
        return 0
    pipeline = redis_connection().pipeline()
    try:
        for message in messages:
            _push_one(message, pipeline)
        pipeline.execute()
    except RedisError as error:
        names = sorted({message.name for message in messages})
        log.warning("outbox.push_failed", names=names, count=len(messages), error=type(error).__name__)
        return 0
    return len(messages)


def _push_one(message: OutboxMessage, pipeline: Pipeline) -> None:
    queue = Queue(message.queue, connection=redis_connection())
    call: dict[str, Any] = {
        "pipeline": pipeline,
        "args": (str(message.id),),
        "job_id": str(message.id),
        "job_timeout": JOB_TIMEOUT_S,
        "result_ttl": 300,
        "failure_ttl": 86_400,
        "description": message.name,
    }
    if message.run_at > clock.now():
        queue.enqueue_at(message.run_at, "jobs.runner.perform", **call)
    else:
        queue.enqueue("jobs.runner.perform", **call)


def sweep(session: Session, *, now: datetime, limit: int = 500) -> list[OutboxMessage]:
    """Marks and returns what is due, not done and not just pushed, for `push` after the commit."""
    stale = now - PUSH_AGAIN_AFTER
    due = (
        select(OutboxMessage)
        .where(
            OutboxMessage.done_at.is_(None),
            OutboxMessage.failed_at.is_(None),
            OutboxMessage.run_at <= now,
            or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= now),
            or_(OutboxMessage.pushed_at.is_(None), OutboxMessage.pushed_at <= stale),
            # A fresh message was pushed by its own commit a moment ago: give that one time to arrive.
            OutboxMessage.run_at <= now - timedelta(seconds=5),
        )
        .order_by(OutboxMessage.run_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    messages = list(session.scalars(due))
    for message in messages:
        message.pushed_at = now
    session.info.setdefault("unpushed", []).extend(messages)
    return messages


def claim(session: Session, message_id: UUID, *, now: datetime) -> Claim | None:
    """Takes the message for one lease; None when it is done, failed, not due or somebody else runs it."""
    statement = (
        update(OutboxMessage)
        .where(
            OutboxMessage.id == message_id,
            OutboxMessage.done_at.is_(None),
            OutboxMessage.failed_at.is_(None),
            OutboxMessage.run_at <= now + timedelta(seconds=1),
            or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= now),
        )
        .values(claimed_until=now + LEASE, attempts=OutboxMessage.attempts + 1)
        .returning(*(getattr(OutboxMessage, column) for column in _CLAIMED))
        .execution_options(synchronize_session=False)
    )
    row = session.execute(statement).one_or_none()
    return Claim(message_id, *row) if row else None


_CLAIMED = ("name", "arguments", "attempts", "created_at", "claimed_until")


def complete(session: Session, *, now: datetime) -> None:
    """Marks the message this job runs for as done, in the job's own recording transaction."""
    claim = _current.get()
    if claim is not None:
        session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id == claim.id, OutboxMessage.done_at.is_(None))
            .values(done_at=now, claimed_until=None, last_error=None)
            .execution_options(synchronize_session=False)
        )


def again(session: Session, *, now: datetime, after: timedelta, reason: str | None = None) -> None:
    """Makes the running message due once more in a while; the lease ends with this transaction.

    Coming again as planned is no failure: attempts are counted anew.
    """
    claim = _current.get()
    message = _still_mine(session, claim) if claim is not None else None
    if message is None:
        return
    message.run_at, message.attempts = now + after, 0
    message.claimed_until, message.pushed_at, message.last_error = None, now, reason
    session.info.setdefault("unpushed", []).append(message)


def is_queued(job: str, argument: str, about: Any) -> ColumnElement[bool]:
    """A condition: work of that name, or of one that begins so, is still to be done with this id (or column of ids) as
    that argument. What was given up is not."""
    return exists().where(
        OutboxMessage.name.startswith(job),
        OutboxMessage.arguments[argument].astext == cast(about, String),
        OutboxMessage.done_at.is_(None),
        OutboxMessage.failed_at.is_(None),
    )


def queued_at() -> datetime:
    """When the running work was first asked for, however often it has come again; now, outside of any work."""
    claim = _current.get()
    return claim.queued_at if claim is not None else clock.now()


def record_failure(session: Session, claim: Claim, *, now: datetime, error: str) -> bool:
    """Notes a failed attempt and plans the next one; returns False when attempts are used up."""
    message = _still_mine(session, claim)
    if message is None:
        return True
    message.last_error, message.claimed_until = error[:2000], None
    if claim.attempts >= ATTEMPTS_MAX:
        message.failed_at = now
        return False
    message.run_at = now + retry_pause(claim.attempts)
    message.pushed_at = now
    session.info.setdefault("unpushed", []).append(message)
    return True


def _still_mine(session: Session, claim: Claim) -> OutboxMessage | None:
    """The message, locked; None once it is done or its lease went to somebody else, who must not be disturbed."""
    message = session.get_one(OutboxMessage, claim.id, with_for_update=True, populate_existing=True)
    return message if message.done_at is None and message.claimed_until == claim.until else None


def retry_pause(attempts: int) -> timedelta:
    """2 s, 4 s, 8 s … at most 15 minutes."""
    return timedelta(seconds=min(2**attempts, 900))


class running:  # noqa: N801 - reads as a word: `with outbox.running(claim)`
    """Names the message that the surrounding code runs for."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __enter__(self) -> None:
        self._token = _current.set(self._claim)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def resolve(name: str) -> Any:
    """The job function `jobs.<module>.<function>` behind a message's name."""
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"jobs.{module}"), function)


def redis_connection() -> Redis:
    """This process's Redis connection."""
    return current_app.extensions["redis"]


def run_one(claim: Claim) -> None:
    """Runs a claimed message's job and marks it done when the job did not do so itself."""
    with running(claim):
        resolve(claim.name)(**claim.arguments)
    with transaction() as session:
        session.execute(
            update(OutboxMessage)
            .where(
                OutboxMessage.id == claim.id,
                OutboxMessage.done_at.is_(None),
                OutboxMessage.claimed_until == claim.until,  # not planned again, nor in other hands
            )
            .values(done_at=clock.now(), claimed_until=None)
            .execution_options(synchronize_session=False)
        )


def unfinished(session: Session, *, now: datetime | None) -> list[OutboxMessage]:
    """Work that gave up or is overdue at `now`, oldest first; with None everything that is not done."""
    statement = select(OutboxMessage).where(OutboxMessage.done_at.is_(None)).order_by(OutboxMessage.run_at).limit(500)
    if now is not None:
        statement = statement.where(or_(OutboxMessage.failed_at.is_not(None), OutboxMessage.run_at <= now))
    return list(session.scalars(statement))


def retry(session: Session, message_id: UUID, *, now: datetime) -> bool:
    """Gives unfinished work a fresh set of attempts, due now; False when there is none of that id."""
    message = session.get(OutboxMessage, message_id, with_for_update=True, populate_existing=True)
    if message is None or message.done_at is not None:
        return False
    message.failed_at, message.given_up_at, message.attempts = None, None, 0
    message.run_at, message.pushed_at = now, now
    session.info.setdefault("unpushed", []).append(message)
    return True


def give_up(session: Session, message_id: UUID, *, now: datetime) -> bool:
    """Nobody tries this work again, until somebody retries it; False when there is no unfinished work of that id."""
    message = session.get(OutboxMessage, message_id, with_for_update=True, populate_existing=True)
    if message is None or message.done_at is not None:
        return False
    message.failed_at, message.given_up_at = message.failed_at or now, message.given_up_at or now
    return True
