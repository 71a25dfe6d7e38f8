"""Alerts open, grow, close and are taken on; each of it is told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from config import settings
from portal.alerts import queries, rules
from portal.alerts.errors import AlertIsOver, AlertNotFound
from portal.alerts.models import Alert
from portal.alerts.rules import Signal
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.core.ids import new_id
from portal.notices import actions as notices
from portal.notices import operators
from portal.notices.wording.alerts import OPENED, OVER

LETTER_OF_ITS_OWN = ("books_differ", "reconciliation_differs")
"""The audit itself mails these, difference by difference (`portal.books.actions.tell_operator`)."""


@dataclass
class Tally:
    """What became of alerts in one round."""

    opened: int = 0
    closed: int = 0
    told: int = 0


def record(session: Session, signals: Sequence[Signal], *, codes: Sequence[str], now: datetime) -> Tally:
    """Takes `signals` for all that is not well now among `codes`: opens, goes on, and closes what is not seen any more.

    Rounds follow each other, whoever starts them. A repeat at the same moment changes nothing.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('alerts', 0))"))
    tally = Tally()
    known = {(row.code, row.key): row for row in queries.unclosed(session, codes)}
    for signal in signals:
        row = known.pop((signal.code, signal.key), None)
        _see(session, row or _first_sight(session, signal, now, tally), signal, now, tally)
    for row in known.values():
        _miss(session, row, now, tally)
    return tally


def _first_sight(session: Session, signal: Signal, now: datetime, tally: Tally) -> Alert:
    """A new alert; or the last one of its kind, if it was over only a moment ago."""
    returned = queries.closed_since(session, signal.code, signal.key, now - rules.RETURN_WITHIN)
    if returned is not None:
        returned.closed_at, returned.returns = None, returned.returns + 1
        returned.acknowledged_at = returned.acknowledged_by = None
        _take_over(returned, signal, now)
        returned.about = list(signal.about)
        _tell(session, returned, now, tally)
        tally.opened += 1
        return returned
    row = Alert(
        id=new_id(), code=signal.code, key=signal.key, first_seen_at=now, last_seen_at=now,
        parameters=signal.parameters, about=list(signal.about), tellings=0, returns=0,
    )  # fmt: skip
    session.add(row)
    return row


def _see(session: Session, row: Alert, signal: Signal, now: datetime, tally: Tally) -> None:
    known = set(row.about)
    _take_over(row, signal, now)
    if row.opened_at is None:
        row.about = list(signal.about)
        if now - row.first_seen_at >= signal.lasts:
            row.opened_at = now
            tally.opened += 1
            _tell(session, row, now, tally)
    elif _is_news(row, set(signal.about) - known, now):
        row.about = list(signal.about)
        row.acknowledged_at = row.acknowledged_by = None
        _tell(session, row, now, tally)
    else:
        row.about = [one for one in signal.about if one in known]  # the rest is told when its time has come


def _is_news(row: Alert, more: set[str], now: datetime) -> bool:
    """More of an open alert, at most hourly; or a day in which nobody took it on."""
    since = now - (row.told_at or row.first_seen_at)
    return (bool(more) and since >= rules.TELL_MORE_AFTER) or (
        row.acknowledged_at is None and since >= rules.REMIND_AFTER
    )


def _take_over(row: Alert, signal: Signal, now: datetime) -> None:
    row.parameters, row.last_seen_at = signal.parameters, now


def _miss(session: Session, row: Alert, now: datetime, tally: Tally) -> None:
    if row.opened_at is None:
        session.delete(row)  # it did not last: nobody heard of it
        return
    quiet = rules.QUIET_AFTER_RETURN if row.returns else rules.QUIET
    if now - row.last_seen_at >= quiet:
        row.closed_at = now
        tally.closed += 1
        _tell(session, row, now, tally)


def _tell(session: Session, row: Alert, now: datetime, tally: Tally) -> None:
    """By mail and by webhook; what is closed is told as over."""
    row.told_at, row.tellings = now, row.tellings + 1
    tally.told += 1
    if row.closed_at is not None or row.code not in LETTER_OF_ITS_OWN:
        _mail(session, row, now)
    if settings().alert_webhook_url:
        outbox.enqueue(session, "alerts.post", queue="urgent", alert_id=row.id, telling=row.tellings)


def _mail(session: Session, row: Alert, now: datetime) -> None:
    letter = f"{OVER if row.closed_at else OPENED}{row.code}"
    for reader in operators.readers(session):
        notices.send_mail(
            session, to_address=reader.address, language=reader.language, code=letter, parameters=said_with(row),
            unique_key=f"alert:{row.id}:{row.tellings}:{reader.address}"[:200], now=now,
        )  # fmt: skip


def said_with(row: Alert) -> dict[str, object]:
    """The parameters of an alert's words."""
    times = {"opened_at": row.opened_at or row.first_seen_at, "closed_at": row.closed_at}
    shown = {name: at.isoformat() for name, at in times.items() if at is not None}
    return {**row.parameters, **shown, "alert_id": str(row.id)}


def acknowledge(session: Session, alert_id: UUID, *, actor: Actor, now: datetime) -> None:
    """Somebody is on it, and says so; whoever did first stays. Raises `AlertNotFound`, `AlertIsOver`."""
    row = session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise AlertNotFound
    if row.acknowledged_at is not None:
        return
    if row.closed_at is not None:
        raise AlertIsOver
    row.acknowledged_at, row.acknowledged_by = now, actor.user_id
    audit.changed(
        session, actor, "alert.acknowledged", subject_kind="alert", subject_id=row.id, now=now,
        before={"acknowledged": False}, after={"acknowledged": True}, alert=row.code,
    )  # fmt: skip


def note_webhook(session: Session, alert_id: UUID, *, error: str | None) -> None:
    """How the last post about an alert went."""
    session.get_one(Alert, alert_id, with_for_update=True, populate_existing=True).webhook_error = (
        error[:300] if error else None
    )
