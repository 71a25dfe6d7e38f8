"""The nightly audit with the chains' heads that leave the database, and the daily comparison with the gateway."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import structlog
from flask import has_app_context
from rq import Queue
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from jobs.runner import application
from portal.books import actions, queries, rules
from portal.books.audit import CHECKS, differences
from portal.books.models import Reconciliation
from portal.books.rules import Order
from portal.core import clock, job_runs, outbox
from portal.core.db import db, transaction
from portal.core.errors import Unavailable
from portal.notices import actions as notices
from portal.payments.errors import GatewayRefused
from portal.payments.gateways import Answer
from portal.payments.registry import gateway_named
from portal.wallet.models import LedgerAccount
from portal.wallet.proofs import Difference

log = structlog.get_logger()
NAMED_MAX = 20
BUDGET_S = 60.0
"""How long one stretch of the comparison may keep a worker; the rest is queued, so that other work goes between."""
AWAY_PAUSE = timedelta(minutes=10)
AUDIT_TIMEOUT_S = 3600
KEYS_REFUSED = ("401", "402", "403")
"""The gateway refuses us, not an order: nothing can be judged."""


# --- the audit ------------------------------------------------------------------------------------------


def audit() -> dict[str, int]:
    """Proves the books. Differences are kept, logged and mailed to the operator, never mended."""
    with transaction() as session:
        audit_id = actions.note_audit(session, now=clock.now()).id
    return _prove(audit_id, daily=True)


def hand_over_audit(audit_id: str) -> None:
    """An audit that somebody asked for: it may take longer than a piece of queued work may, so it has its own time.

    Lost on the way it only stays unanswered, and is asked for again.
    """
    Queue("slow", connection=outbox.redis_connection()).enqueue(
        "jobs.books.prove", args=(audit_id,), job_id=f"books-audit-{audit_id}", job_timeout=AUDIT_TIMEOUT_S,
        result_ttl=3600,
    )  # fmt: skip


def prove(audit_id: str) -> dict[str, int]:
    """The audit that `hand_over_audit` handed over."""
    if has_app_context():
        return _prove(UUID(audit_id))
    with application().app_context():
        return _prove(UUID(audit_id))


def _prove(audit_id: UUID, *, daily: bool = False) -> dict[str, int]:
    started_at = clock.now()
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = list(differences(Session(connection)))
        heads = _heads(Session(connection))
    log.info("books.heads", **heads)
    if found:
        log.error("books.differ", count=len(found), differences=[str(each) for each in found[:NAMED_MAX]])
    with transaction() as session:
        now, checks = clock.now(), [check.__name__ for check in CHECKS]
        actions.end_audit(session, audit_id, found, checks=checks, heads=heads, started_at=started_at, now=now)
        told = actions.tell_operator(session, now=now)
        if daily:
            _mail_heads(session, len(found), heads)
    return {"differences": len(found), "told": told}


def _heads(session: Session) -> dict[str, str | int]:
    """One hash over every wallet chain's head: noted outside, it shows a ledger whose end was cut off."""
    statement = select(LedgerAccount.id, LedgerAccount.sequence, LedgerAccount.chain_hash)
    rows = session.execute(statement.where(LedgerAccount.sequence > 0).order_by(LedgerAccount.id))
    digest, accounts, postings = hashlib.sha256(), 0, 0
    for account_id, sequence, head in rows:
        digest.update(f"{account_id} {sequence} {head}\n".encode())
        accounts, postings = accounts + 1, postings + sequence
    return {"accounts": accounts, "postings": postings, "heads": digest.hexdigest()}


def _mail_heads(session: Session, found: int, heads: dict[str, str | int]) -> None:
    """Every day, differences or not: a day without this mail is itself a sign."""
    if settings().operator_email:
        notices.send_mail(
            session, to_address=settings().operator_email, language=settings().operator_language,
            code="books_audited", parameters={**heads, "differences": found},
            unique_key=f"books_audited:{clock.today().isoformat()}", now=clock.now(),
        )  # fmt: skip


# --- the comparison with the gateway --------------------------------------------------------------------


def reconcile() -> dict[str, int]:
    """Every day at 04:00, about the day before: our top-ups, the gateway's answers and the ledger, side by side."""
    day = clock.today(job_runs.moment()) - timedelta(days=1)
    with transaction() as session:
        actions.begin(session, day, now=clock.now())
    if not _compare(day, budget_s=BUDGET_S):
        _leave_rest(day)
    return _counts(day)


def go_on(day: str) -> None:
    """The rest of a day's comparison, a stretch at a time; given up when the next day's has begun."""
    begun = date.fromisoformat(day)
    if _is_superseded(begun) or _compare(begun, budget_s=BUDGET_S):
        return
    with transaction() as session:
        outbox.again(session, now=clock.now(), after=_pause(session, begun), reason="the comparison goes on")


def compare_whole_day(day: str) -> dict[str, int]:
    """All of a day's comparison at once, for an operator who waits for it."""
    with transaction() as session:
        actions.begin(session, date.fromisoformat(day), now=clock.now())
    if not _compare(date.fromisoformat(day), budget_s=float("inf")):
        _leave_rest(date.fromisoformat(day))
    return _counts(date.fromisoformat(day))


def look_again(attempt_id: str, day: str) -> None:
    """An order that the payment job was asked to look at: is it still different? Then the operator hears of it."""
    with transaction() as session:
        order = queries.order(session, UUID(attempt_id))
    asked = _ask(order)
    with transaction() as session:
        now = clock.now()
        if asked.changed:
            return outbox.again(session, now=now, after=timedelta(minutes=1), reason="changed meanwhile")
        actions.keep(session, asked.found, checks=rules.OF_ORDERS, only=order.name, now=now)
        if (row := queries.reconciliation(session, date.fromisoformat(day))) and row.ended_at:
            actions.compare_sums(session, row.day, now=now)
        actions.tell_operator(session, now=now)
        outbox.complete(session, now=now)
    return None


def _compare(day: date, *, budget_s: float) -> bool:
    """Asks about one order after the other; True when the day is finished. Otherwise somebody goes on later."""
    until = time.monotonic() + budget_s
    while (attempt := _next(day)) is not None:
        if time.monotonic() >= until:
            return False
        try:
            if not _compare_one(day, *attempt):
                return True  # somebody else is at it
        except Unavailable as error:
            return _note_away(day, f"{error.code} {error.details or ''}".strip())
    with transaction() as session:
        row = queries.reconciliation(session, day)
        if row is not None and row.ended_at is None:
            row = actions.finish(session, day, now=clock.now())
            waiting = rules.STILL_LOOKED_AT if row.figures["handed_over"] else rules.HANDED_OVER
            actions.tell_operator(session, now=clock.now(), waiting=waiting)
            log.info("books.reconciled", day=day.isoformat(), **row.figures)
    return True


def _note_away(day: date, why: str) -> bool:
    """What was not asked is not judged. Whoever goes on begins behind the last order that was."""
    log.warning("books.gateway_away", day=day.isoformat(), reason=why)
    with transaction() as session:
        actions.note_away(session, day, why)
    return False


def _leave_rest(day: date) -> None:
    with transaction() as session:
        row = session.get_one(Reconciliation, day, populate_existing=True)
        outbox.enqueue(
            session, "books.go_on", queue="slow", unique_key=f"books.go_on:{day}:{row.started_at.timestamp()}",
            run_at=clock.now() + _pause(session, day), day=day.isoformat(),
        )  # fmt: skip


def _pause(session: Session, day: date) -> timedelta:
    """At once when only the time was up; a while when the gateway does not answer."""
    away = session.get_one(Reconciliation, day, populate_existing=True).figures["why"]
    return AWAY_PAUSE if away else timedelta(0)


def _next(day: date) -> tuple[UUID | None, UUID] | None:
    """Behind which order the comparison stands, and the next one; None when there is none left."""
    with transaction() as session:
        row = queries.reconciliation(session, day)
        if row is None or row.ended_at is not None:
            return None
        after = UUID(row.figures["cursor"]) if row.figures["cursor"] else None
        found = queries.next_attempt(session, after, day=day, before=row.started_at)
    return (after, found) if found else None


def _compare_one(day: date, after: UUID | None, attempt_id: UUID) -> bool:
    with transaction() as session:
        order = queries.order(session, attempt_id)
    asked = _ask(order)
    handed = [each for each in asked.found if each.check in rules.HANDED_OVER]
    tally = _tally(day, asked) | {"changed_meanwhile": int(asked.changed), "handed_over": len(handed)}
    with transaction() as session:
        now = clock.now()
        mine = actions.record_order(
            session, day, after, attempt_id, asked.found, tally, order_name=order.name, now=now
        )  # fmt: skip
        if mine and handed:
            log.warning("books.handed_over", order_id=order.order_id, reasons=[each.reason for each in handed])
            actions.hand_over(session, attempt_id, order.payment_id, day=day, now=now)
    return mine


@dataclass(frozen=True)
class Asked:
    """An order after it was asked about: what differs, unless it changed meanwhile; then nothing is judged."""

    order: Order
    answers: list[Answer | None]
    found: list[Difference]
    changed: bool = False


def _ask(order: Order) -> Asked:
    """Our side is read again after the answers, in one statement with the ledger's."""
    asked_at = clock.now()
    try:
        answers = list(_answers(order))
    except GatewayRefused as error:
        if str(error.details.get("gateway_code")) in KEYS_REFUSED:
            raise Unavailable(reason="the gateway refuses our keys") from error
        return Asked(order, [], [Difference("refused_by_gateway", order.name, f"it refuses: {error.details}")])
    with transaction() as session:
        order = queries.order(session, order.attempt_id)
    if rules.changed_since(order, asked_at):
        return Asked(order, answers, [], changed=True)
    return Asked(order, answers, list(rules.compare(order, answers)))


def _answers(order: Order) -> Iterator[Answer | None]:
    """The order's own transaction, and each other one that was credited under it."""
    gateway = gateway_named(order.gateway)
    _pace()
    answer = gateway.fetch_status(order.order_id)
    yield answer
    for row in order.booked:
        if row.credited and (answer is None or row.transaction_id != answer.transaction_id):
            _pace()
            yield gateway.fetch_status(row.transaction_id)


def _pace() -> None:
    if settings().reconcile_calls_per_s:
        time.sleep(1 / settings().reconcile_calls_per_s)


def _tally(day: date, asked: Asked) -> dict[str, Any]:
    by_transaction = {
        answer.transaction_id: rules.paid_on(asked.order, answer) for answer in asked.answers if answer is not None
    }
    sums = [paid[1] for paid in by_transaction.values() if paid is not None and paid[0] == day]
    return {
        "asked": 1,
        "not_opened": int(asked.answers == [None] and not asked.order.booked),
        "gateway": {"count": len(sums), "sum": sum(sums)},
    }


def _is_superseded(day: date) -> bool:
    with transaction() as session:
        return queries.reconciliation(session, day + timedelta(days=1)) is not None


def _counts(day: date) -> dict[str, int]:
    with transaction() as session:
        row = queries.reconciliation(session, day)
        assert row is not None
        counts = {name: row.figures[name] for name in ("asked", "handed_over", "changed_meanwhile")}
        counts["open_differences"] = queries.count_open(session)
        return counts | {"finished": int(row.ended_at is not None), "gateway_away": int(bool(row.figures["why"]))}
