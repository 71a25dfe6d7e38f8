"""Reads of bank transfers, for the administrators who decide about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from portal.accounts.models import Customer, User
from portal.payments.models import GatewayTransaction, Payment
from portal.payments.rules import BANK_TRANSFER
from portal.transfers import rules
from portal.transfers.models import BankTransfer, TransferProof
from portal.transfers.rules import TransferState
from portal.web.listings import Listing


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted; None means everything."""

    search: str | None = None
    state: TransferState | None = None


def listing(wanted: Wanted) -> Listing:
    """Transfers with whose they are. What waits for a decision is served in its order, the oldest first."""
    statement = (
        sa.select(Payment, BankTransfer, Customer.number, Customer.name.label("customer_name"))
        .join(BankTransfer, BankTransfer.payment_id == Payment.id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Payment.gateway == BANK_TRANSFER, *_conditions(wanted))
    )
    waits = wanted.state in rules.UNDECIDED
    return Listing(statement, Payment.id, {"asked": Payment.created_at}, default="asked" if waits else "-asked")


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.state is not None:
        conditions.append(Payment.status.in_(rules.statuses_of(wanted.state)))
    if wanted.search:
        text = rules.plain(wanted.search)
        conditions.append(sa.or_(
            BankTransfer.reference == text.upper(), BankTransfer.bank_reference == text,
            Customer.name.icontains(text, autoescape=True), Customer.billing_email.icontains(text, autoescape=True),
        ))  # fmt: skip
    return conditions


@dataclass(frozen=True)
class Surroundings:
    """What an administrator compares a transfer with."""

    customer: Customer
    names: dict[UUID, str]  # of who proposed, decided and uploaded
    credited: int
    taken_back: int
    used_before: dict[str, list[Any]]  # a proof's digest to the other transfers that show the same

    @property
    def left(self) -> int:
        return self.credited - self.taken_back


def surroundings(
    session: Session, payment: Payment, transfer: BankTransfer, proofs: Sequence[TransferProof]
) -> Surroundings:  # fmt: skip
    """Whose it is, who did what, what was booked, and where the same proofs were shown before."""
    people = {transfer.proposed_by, transfer.decided_by, *(proof.uploaded_by for proof in proofs)} - {None}
    names = session.execute(sa.select(User.id, User.name).where(User.id.in_(people)))
    booked = session.execute(
        sa.select(GatewayTransaction.credited, GatewayTransaction.taken_back).where(
            GatewayTransaction.gateway == BANK_TRANSFER, GatewayTransaction.transaction_id == transfer.reference
        )
    ).one_or_none()
    return Surroundings(
        customer=session.get_one(Customer, payment.customer_id),
        names={row.id: row.name for row in names},
        credited=booked.credited if booked else 0,
        taken_back=booked.taken_back if booked else 0,
        used_before=_used_before(session, payment.id, proofs),
    )


def _used_before(session: Session, payment_id: UUID, proofs: Sequence[TransferProof]) -> dict[str, list[Any]]:
    other = aliased(TransferProof)
    statement = (
        sa.select(other.digest, BankTransfer.payment_id, BankTransfer.reference, Customer.name, Customer.number)
        .join(BankTransfer, BankTransfer.payment_id == other.payment_id)
        .join(Payment, Payment.id == BankTransfer.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(other.digest.in_({proof.digest for proof in proofs}), other.payment_id != payment_id)
        .distinct()
        .limit(20)
    )
    found: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        found.setdefault(row.digest, []).append(row)
    return found
