"""Reads of bank transfers, for the customer's page and for both sides' proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from portal.core.errors import NotFound
from portal.payments.models import Payment
from portal.transfers import rules
from portal.transfers.models import BankTransfer, TransferProof
from portal.transfers.rules import TransferState


@dataclass(frozen=True)
class TransferPage:
    """A transfer with its proofs, the newest first; their contents stay where they are."""

    payment: Payment
    transfer: BankTransfer
    proofs: Sequence[TransferProof]

    @property
    def state(self) -> TransferState:
        return rules.state_of(self.payment.status)

    @property
    def proposed(self) -> bool:
        return self.transfer.proposed_at is not None

    @property
    def may_upload(self) -> bool:
        return rules.may_upload(self.state, proposed=self.proposed)

    @property
    def may_cancel(self) -> bool:
        return rules.may_cancel(self.state, proposed=self.proposed)


def transfer_page(session: Session, payment_id: UUID, *, customer_id: UUID | None = None) -> TransferPage:
    """One transfer, in two queries; raises `NotFound` when there is none, or none of that customer."""
    statement = select(Payment, BankTransfer).join(BankTransfer).where(Payment.id == payment_id)
    if customer_id is not None:
        statement = statement.where(Payment.customer_id == customer_id)
    found = session.execute(statement.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound
    proofs = session.scalars(
        select(TransferProof).where(TransferProof.payment_id == payment_id).order_by(TransferProof.id.desc())
    )
    return TransferPage(found[0], found[1], list(proofs))


@dataclass(frozen=True)
class ProofFile:
    """A proof to be handed out, under a name of ours."""

    name: str
    content_type: str
    content: bytes


def proof_file(
    session: Session, payment_id: UUID, proof_id: UUID, *, customer_id: UUID | None = None
) -> ProofFile:  # fmt: skip
    """A proof of that transfer; raises `NotFound` when it is not that, or not that customer's."""
    statement = (
        select(TransferProof, BankTransfer.reference)
        .join(BankTransfer, BankTransfer.payment_id == TransferProof.payment_id)
        .join(Payment, Payment.id == BankTransfer.payment_id)
        .options(undefer(TransferProof.content))
        .where(TransferProof.id == proof_id, TransferProof.payment_id == payment_id)
    )
    if customer_id is not None:
        statement = statement.where(Payment.customer_id == customer_id)
    found = session.execute(statement.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound
    proof, reference = found
    ending = "jpg" if proof.is_picture else "pdf"
    return ProofFile(f"{reference}.{ending}", proof.content_type, proof.content)
