"""What an administrator does about a payment: look again now, and decide what the gateway's word leaves open."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.core.money import Money
from portal.payments import actions, booking, locking, rules
from portal.payments.errors import NothingToDecide
from portal.payments.models import Payment, PaymentStatus


def look_again(session: Session, payment_id: UUID, *, actor: Actor, now: datetime) -> Payment:
    """Queues a look at the gateway's status: at once, or one for all who ask within seconds. Raises `NotFound`."""
    payment = locking.payment(session, payment_id)
    actions.queue_check(session, payment, now=now)
    _note(session, actor, "payment.looked_at", payment, now=now)
    return payment


def credit_as_paid(
    session: Session, payment_id: UUID, transaction_id: UUID, *, amount: Money, reason: str, actor: Actor,
    now: datetime,
) -> Payment:  # fmt: skip
    """Credits what really arrived under a payment whose sum differs; `amount` is what the administrator saw.

    A repeat changes nothing. Raises `NothingToDecide` when it is credited otherwise, rejected, or says another sum.
    """
    payment, row = locking.transaction_of(session, payment_id, transaction_id)
    if row.credited == amount.amount:
        return payment
    arrived = Money(row.gross_amount, row.currency)
    if not rules.may_credit_as_paid(row, expected=payment.money) or arrived != amount:
        raise NothingToDecide
    before = payment.status
    booking.credit(session, payment, row, arrived, settled_at=now, now=now)
    late = before in rules.SHUT
    payment.status = PaymentStatus.PAID_LATE if late else PaymentStatus.SETTLED
    _note(
        session, actor, "payment.credited", payment, before={"status": before}, reason=reason, now=now,
        asked=payment.amount, credited=row.credited, transaction_id=row.transaction_id,
    )  # fmt: skip
    return payment


def reject(
    session: Session, payment_id: UUID, transaction_id: UUID, *, reason: str, actor: Actor, now: datetime
) -> Payment:
    """Decides that a transaction is not credited: it is not reviewed again, and what is only authorised is cancelled.

    Money that was taken is refunded at the gateway by hand. A repeat changes nothing. Raises `NothingToDecide` once
    it is credited.
    """
    payment, row = locking.transaction_of(session, payment_id, transaction_id)
    if row.rejected_at is not None:
        return payment
    if not rules.may_reject(row, expected=payment.money):
        raise NothingToDecide
    before, row.rejected_at = payment.status, now
    if payment.status == PaymentStatus.IN_REVIEW:
        actions.close(session, payment, PaymentStatus.FAILED, now=now)
    booking.tell_rejected(session, payment, row, now=now)
    outbox.enqueue(session, "payments.cancel_at_gateway", payment_id=payment.id)
    _note(
        session, actor, "payment.rejected", payment, before={"status": before}, reason=reason, now=now,
        arrived=row.gross_amount, transaction_id=row.transaction_id,
    )  # fmt: skip
    return payment


def _note(
    session: Session, actor: Actor, action: str, payment: Payment, *, now: datetime,
    before: dict[str, Any] | None = None, **facts: Any,
) -> None:  # fmt: skip
    audit.changed(
        session, actor, action, subject_kind="payment", subject_id=payment.id, now=now, before=before,
        after={"status": payment.status} if before else None, **facts,
    )  # fmt: skip
