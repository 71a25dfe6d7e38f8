"""Reads of payments, shaped for their pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.core.errors import NotFound
from portal.payments import rules
from portal.payments.models import (
    GatewayTransaction,
    Payment,
    PaymentAttempt,
    PaymentRefund,
    PaymentStatus,
    RefundStatus,
)

PAGE_SIZE = 20


@dataclass(frozen=True)
class PaymentPage:
    """One top-up as its page shows it."""

    payment: Payment
    attempt: PaymentAttempt
    instructions: dict[str, Any]
    pays_until: datetime  # the gateway's own end for the chosen method, when it named one
    refused_try: bool  # the last card or wallet try was refused; another may follow

    @property
    def method(self) -> rules.Method:
        return rules.METHODS[self.payment.method]

    @property
    def finished(self) -> bool:
        return rules.is_settled_state(self.payment.status)


def payment_page(session: Session, payment_id: UUID, customer_id: UUID) -> PaymentPage:
    """The top-up with its latest attempt and how to pay it, in three queries; raises `NotFound` for a stranger."""
    payment = session.scalar(
        select(Payment)
        .options(selectinload(Payment.attempts))
        .where(Payment.id == payment_id, Payment.customer_id == customer_id)
        .execution_options(populate_existing=True)
    )
    if payment is None:
        raise NotFound
    latest = _latest_transaction(session, payment_id)
    instructions = latest.instructions if latest is not None and latest.status == "pending" else {}
    return PaymentPage(
        payment=payment,
        attempt=payment.attempts[-1],
        instructions=instructions,
        pays_until=_pays_until(payment, instructions),
        refused_try=latest is not None and latest.status in ("deny", "failure"),
    )


def _latest_transaction(session: Session, payment_id: UUID) -> GatewayTransaction | None:
    statement = (
        select(GatewayTransaction)
        .join(PaymentAttempt)
        .where(PaymentAttempt.payment_id == payment_id)
        .order_by(GatewayTransaction.first_seen_at.desc(), GatewayTransaction.id.desc())
    )
    return session.scalar(statement.limit(1))


def _pays_until(payment: Payment, instructions: dict[str, Any]) -> datetime:
    named = instructions.get("expires_at")
    return datetime.fromisoformat(named) if isinstance(named, str) else payment.expires_at


def payment_of_order(session: Session, order_id: str, customer_id: UUID) -> UUID | None:
    """The customer's payment behind a gateway order id; None for anybody else's."""
    statement = (
        select(Payment.id)
        .join(PaymentAttempt)
        .where(PaymentAttempt.order_id == order_id[:50], Payment.customer_id == customer_id)
    )
    return session.scalar(statement)


def open_payments(session: Session, customer_id: UUID) -> list[Payment]:
    """What waits to be paid or checked, newest first."""
    waiting = (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.IN_REVIEW)
    statement = select(Payment).where(Payment.customer_id == customer_id, Payment.status.in_(waiting))
    return list(session.scalars(statement.order_by(Payment.created_at.desc())))


def payments(session: Session, customer_id: UUID, *, page: int) -> tuple[list[Payment], bool]:
    """One page of all top-ups, newest first, and whether older ones follow."""
    statement = (
        select(Payment)
        .where(Payment.customer_id == customer_id)
        .order_by(Payment.created_at.desc(), Payment.id.desc())
        .limit(PAGE_SIZE + 1)
        .offset((max(page, 1) - 1) * PAGE_SIZE)
    )
    found = list(session.scalars(statement))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def refunds_under_way(session: Session, customer_id: UUID) -> list[tuple[PaymentRefund, Payment]]:
    """What the gateway is being asked to send back to a customer, with the top-up it came by; oldest first."""
    statement = (
        select(PaymentRefund, Payment)
        .join(GatewayTransaction, GatewayTransaction.id == PaymentRefund.transaction_id)
        .join(PaymentAttempt, PaymentAttempt.id == GatewayTransaction.attempt_id)
        .join(Payment, Payment.id == PaymentAttempt.payment_id)
        .where(PaymentRefund.customer_id == customer_id, PaymentRefund.status == RefundStatus.REQUESTED)
    )
    return [(refund, payment) for refund, payment in session.execute(statement.order_by(PaymentRefund.asked_at))]
