"""A payment by bank transfer, locked with what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound
from portal.payments.models import Payment
from portal.payments.rules import BANK_TRANSFER
from portal.transfers import rules
from portal.transfers.models import BankTransfer
from portal.transfers.rules import TransferState


@dataclass(frozen=True)
class Locked:
    """Whoever changes a transfer holds its payment's lock."""

    payment: Payment
    transfer: BankTransfer

    @property
    def state(self) -> TransferState:
        return rules.state_of(self.payment.status)

    @property
    def proposed(self) -> bool:
        return self.transfer.proposed_at is not None


def lock(session: Session, payment_id: UUID, *, customer_id: UUID | None = None) -> Locked:
    """The transfer as it is now; raises `NotFound` when there is none, or none of that customer."""
    statement = select(Payment).where(Payment.id == payment_id, Payment.gateway == BANK_TRANSFER)
    if customer_id is not None:
        statement = statement.where(Payment.customer_id == customer_id)
    payment = session.scalar(statement.with_for_update(**ROW_LOCK).execution_options(populate_existing=True))
    if payment is None:
        raise NotFound
    return Locked(payment, session.get_one(BankTransfer, payment_id, populate_existing=True))
