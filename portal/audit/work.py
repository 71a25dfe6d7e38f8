"""What an administrator does to work: another try, no more tries, a periodic job out of its turn. Written down."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import job_runs, outbox, schedules
from portal.core.errors import Conflict, NotFound, PortalError
from portal.core.outbox import OutboxMessage
from portal.core.words import sound

REASON_MAX = 300


class ReasonMissing(PortalError):
    status = 422
    code = "REASON_MISSING"
    message = _l("Say why in a few words: whoever looks at this later has nothing else.")


def retry(session: Session, message_id: UUID, *, actor: Actor, now: datetime) -> None:
    """A fresh set of attempts, due now. What is already due, or was done meanwhile, is left as it is.

    Raises `NotFound`, and `Conflict` while a worker is at it.
    """
    message = _unfinished(session, message_id, now)
    if message is None or _is_on_its_way(message, now):
        return
    before = _shown(message)
    outbox.retry(session, message_id, now=now)
    _note(session, actor, "work.retried", message, before, now=now)


def give_up(session: Session, message_id: UUID, *, reason: str, actor: Actor, now: datetime) -> None:
    """No more tries, until somebody retries it. A repeat changes nothing.

    Raises `NotFound`, `ReasonMissing`, and `Conflict` while a worker is at it.
    """
    reason = sound(reason)[:REASON_MAX]
    if not reason:
        raise ReasonMissing
    message = _unfinished(session, message_id, now)
    if message is None or message.given_up_at is not None:
        return
    before = _shown(message)
    outbox.give_up(session, message_id, now=now)
    _note(session, actor, "work.given_up", message, before, now=now, reason=reason)


def run_now(session: Session, name: str, *, actor: Actor, now: datetime) -> bool:
    """Queues one run of a line of the schedule, in its own time; False when that was done within this minute.

    Raises `NotFound`, and `Conflict` while a run of it is under way.
    """
    entry = next((entry for entry in schedules.entries() if entry.name == name), None)
    if entry is None:
        raise NotFound
    if job_runs.under_way(session, name, dead_before=schedules.dead_before(entry, now)):
        raise Conflict(_l("It is running right now."))
    queued = outbox.enqueue(
        session, "periodic.queue_now", queue="urgent", unique_key=f"run-now:{name}:{now:%Y%m%d%H%M}",
        line=name, moment=now.isoformat(),
    )  # fmt: skip
    if queued is not None:
        audit.changed(session, actor, "schedule.run_now", subject_kind="schedule", subject_id=name, now=now)
    return queued is not None


def _unfinished(session: Session, message_id: UUID, now: datetime) -> OutboxMessage | None:
    """The message, locked; None when it was done meanwhile, which is what everybody wanted."""
    message = session.get(OutboxMessage, message_id, with_for_update=True, populate_existing=True)
    if message is None:
        raise NotFound
    if message.done_at is not None:
        return None
    if message.claimed_until is not None and message.claimed_until > now:
        raise Conflict(_l("A worker is at it right now. Look again in a minute."))
    return message


def _is_on_its_way(message: OutboxMessage, now: datetime) -> bool:
    return message.failed_at is None and message.attempts == 0 and message.run_at <= now


def _shown(message: OutboxMessage) -> dict[str, Any]:
    state = "given_up" if message.given_up_at else "failed" if message.failed_at else "waiting"
    return {"state": state, "attempts": message.attempts, "run_at": message.run_at.isoformat()}


def _note(
    session: Session, actor: Actor, action: str, message: OutboxMessage, before: dict[str, Any], *, now: datetime,
    **facts: Any,
) -> None:  # fmt: skip
    audit.changed(
        session, actor, action, subject_kind="work", subject_id=message.id, before=before, after=_shown(message),
        now=now, job=message.name, **facts,
    )  # fmt: skip
