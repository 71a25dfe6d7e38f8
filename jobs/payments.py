"""Payment jobs: ask the gateway outside any transaction, record its answer through one verb."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, or_, select, update

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import Unavailable
from portal.payments import actions, notifications, refunding, rules
from portal.payments.errors import GatewayRefused
from portal.payments.gateways import Answer
from portal.payments.models import GatewayEvent, Payment, PaymentAttempt, PaymentStatus
from portal.payments.registry import GATEWAYS, gateway_named

log = structlog.get_logger()

STALE_TRIES = 3
SYNC_BATCH = 500
CREDITED = (PaymentStatus.SETTLED, PaymentStatus.PAID_LATE, PaymentStatus.PARTIALLY_REFUNDED)
LOOK_AFTER_UNREAD_NOTICE = timedelta(hours=1)


def process_notification(event_id: str, attempt_id: str, transaction_id: str | None = None) -> None:
    """Re-reads the gateway's status for a stored notification; only that answer moves money."""
    outcomes = [_look(UUID(attempt_id), None)]
    if transaction_id:
        outcomes.append(_look(UUID(attempt_id), transaction_id))
    with transaction() as session:
        now = clock.now()
        notifications.mark_processed(session, UUID(event_id), outcome=", ".join(outcomes), now=now)
        outbox.complete(session, now=now)


def check(payment_id: str) -> None:
    """Re-reads the gateway's status of every attempt of one payment."""
    for attempt_id in _attempts(UUID(payment_id)):
        _look(attempt_id, None)


def expire(payment_id: str) -> None:
    """At a payment's end: asks the gateway once more, then marks it expired. Late money is credited all the same."""
    check(payment_id)
    with transaction() as session:
        now = clock.now()
        actions.expire(session, UUID(payment_id), now=now)
        outbox.complete(session, now=now)


def cancel_at_gateway(payment_id: str) -> None:
    """Tells the gateway of a cancellation, once it says that nothing was paid: the customer may have been quicker.

    A captured card would be given back by a cancellation, while its credit may be spent already.
    """
    for attempt_id in _attempts(UUID(payment_id)):
        if _look(attempt_id, None) in rules.CANCELLABLE:
            attempt = db.session().get_one(PaymentAttempt, attempt_id)
            gateway_named(attempt.gateway).cancel(attempt.order_id)
            _look(attempt_id, None)


def refund(refund_id: str) -> None:
    """Asks the gateway to send money back, once, and records what its status says; unknown outcomes are looked at.

    The status is read before every try as well: the answer to an earlier one may have been lost. What the gateway said
    it took is not asked for again.
    """
    wanted = refunding.wanted(db.session(), UUID(refund_id))
    db.session.rollback()
    _look(wanted.attempt_id, wanted.transaction_id)
    if not _is_open(wanted.refund_id):
        return
    refused = "" if wanted.is_accepted else _ask_for(wanted)
    _look(wanted.attempt_id, wanted.transaction_id)
    with transaction() as session:
        now = clock.now()
        if refused:
            refunding.refuse(session, wanted.refund_id, gateway_code=refused, now=now)
        elif refunding.is_open(session, wanted.refund_id):
            pause = rules.refund_pause(since=outbox.queued_at(), now=now)
            outbox.again(session, now=now, after=pause, reason="the gateway shows no refund yet")


def _ask_for(wanted: refunding.Wanted) -> str:
    """The gateway's code when it said no, and that is to be believed."""
    with transaction() as session:
        attempt = refunding.begin_try(session, wanted.refund_id, now=clock.now())
    if attempt is None:
        return ""
    try:
        gateway_named(wanted.gateway).refund(
            wanted.transaction_id, wanted.money, key=str(wanted.refund_id), reason=wanted.reason
        )
    except GatewayRefused as error:
        code = str(error.details.get("gateway_code") or "refused")
        return code if rules.is_refusal_believed(attempt.before_at, now=clock.now()) else ""
    with transaction() as session:
        refunding.accept(session, wanted.refund_id, now=clock.now())
    return ""


def _is_open(refund_id: UUID) -> bool:
    found = refunding.is_open(db.session(), refund_id)
    db.session.rollback()
    return found


def expire_due() -> str:
    """Hourly safety net: every open payment past its time gets its own `expire`; one failing never stops the rest."""
    return _queue_for(Payment.status.in_(actions.OPEN), Payment.expires_at <= clock.now(), job="payments.expire")


def sync() -> str:
    """Every 30 minutes: looks at open payments, and for a week at closed ones, in case a notification was lost; and
    takes up refunds again that were given up.

    Those not looked at for longest come first, so that no number of them leaves one out for ever.
    """
    watched_since = clock.now() - rules.WATCH_AFTER_EXPIRY
    shut = Payment.status.in_(rules.SHUT) & (Payment.expires_at > watched_since)
    waiting = Payment.status.in_([*actions.OPEN, PaymentStatus.IN_REVIEW])
    # A settled payment can still be denied by the bank within minutes, and refunded from the dashboard later.
    settled = Payment.status.in_(CREDITED) & (Payment.settled_at > clock.now() - timedelta(days=1))
    asked = Payment.gateway.in_(GATEWAYS)
    _take_up_forgotten_refunds()
    return _queue_for(asked, or_(waiting, shut, settled, Payment.id.in_(_unread())), job="payments.check")


def _take_up_forgotten_refunds() -> None:
    """A gateway that was away for long used up their attempts."""
    with transaction() as session:
        for refund_id in refunding.forgotten(session):
            outbox.enqueue(session, "payments.refund", queue="urgent", refund_id=refund_id)


def _unread() -> Select[UUID]:
    """Payments of notifications whose own look was given up, the gateway having been away for too long."""
    now = clock.now()
    return (
        select(PaymentAttempt.payment_id)
        .join(
            GatewayEvent,
            (GatewayEvent.gateway == PaymentAttempt.gateway) & (GatewayEvent.order_id == PaymentAttempt.order_id),
        )
        .where(
            GatewayEvent.processed_at.is_(None),
            GatewayEvent.received_at.between(now - rules.WATCH_AFTER_EXPIRY, now - LOOK_AFTER_UNREAD_NOTICE),
        )
    )


def _queue_for(*conditions: ColumnElement[bool], job: str) -> str:
    longest_ago = Payment.last_checked_at.asc().nulls_first()
    statement = select(Payment.id).where(*conditions).order_by(longest_ago, Payment.id).limit(SYNC_BATCH)
    with transaction() as session:
        ids, now = list(session.scalars(statement)), clock.now()
        session.execute(update(Payment).where(Payment.id.in_(ids)).values(last_checked_at=now))
        for payment_id in ids:
            key = f"{job}:{payment_id}:{now:%Y%m%d%H%M}"
            outbox.enqueue(session, job, unique_key=key, payment_id=payment_id)
    return f"{len(ids)} payments"


def _attempts(payment_id: UUID) -> list[UUID]:
    statement = select(PaymentAttempt.id).where(
        PaymentAttempt.payment_id == payment_id, PaymentAttempt.gateway.in_(GATEWAYS)
    )
    ids = list(db.session().scalars(statement.order_by(PaymentAttempt.number)))
    db.session.rollback()
    return ids


def _look(attempt_id: UUID, transaction_id: str | None) -> str:
    """Fetches and records until the answer is not stale; returns what it says, for the event's outcome."""
    for _ in range(STALE_TRIES):
        attempt = db.session().get_one(PaymentAttempt, attempt_id)
        reference = transaction_id or attempt.order_id
        asked_at = clock.now()
        answer = gateway_named(attempt.gateway).fetch_status(reference)
        if answer is None:
            return "unknown to the gateway"
        if not _fits(attempt, answer):
            log.error("payment.foreign_answer", order_id=attempt.order_id)
            return "another order's transaction"
        with transaction() as session:
            recorded = actions.record_answer(session, attempt_id, answer, asked_at=asked_at, now=clock.now())
        if not recorded.stale:
            return answer.status
    raise Unavailable(reason="answers contradict each other")


def _fits(attempt: PaymentAttempt, answer: Answer) -> bool:
    return answer.order_id == attempt.order_id
