"""Rows of payments, locked in the one order: the payment, then a transaction of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt


def payment(session: Session, payment_id: UUID) -> Payment:
    """The payment, locked; raises `NotFound`."""
    found = session.get(Payment, payment_id, with_for_update=ROW_LOCK, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def transaction_of(session: Session, payment_id: UUID, transaction_id: UUID) -> tuple[Payment, GatewayTransaction]:
    """The payment and one of its transactions, both locked; raises `NotFound`."""
    found = payment(session, payment_id)
    statement = (
        select(GatewayTransaction)
        .join(PaymentAttempt)
        .where(PaymentAttempt.payment_id == payment_id, GatewayTransaction.id == transaction_id)
        .with_for_update(of=GatewayTransaction)
        .execution_options(populate_existing=True)
    )
    row = session.scalar(statement)
    if row is None:
        raise NotFound
    return found, row


def payment_of(session: Session, transaction_id: UUID) -> UUID:
    """Whose a transaction is."""
    statement = select(PaymentAttempt.payment_id).join(GatewayTransaction)
    return session.scalars(statement.where(GatewayTransaction.id == transaction_id)).one()
