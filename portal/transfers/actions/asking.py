"""The customer's verbs: ask where to pay, prove it, think better of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import settings
from portal.core import events
from portal.core.ids import readable_code
from portal.notices import actions as notices
from portal.notices import operators
from portal.payments import actions as payments
from portal.payments.actions import Collection, TopUp
from portal.payments.errors import TooManyOpenTopUps, UnknownMethod
from portal.payments.models import Payment, PaymentStatus
from portal.payments.rules import BANK_TRANSFER
from portal.transfers import rules
from portal.transfers.actions.locking import lock
from portal.transfers.errors import NoProofWanted, NotCancellable, TooManyProofs
from portal.transfers.files import Upload
from portal.transfers.models import BankTransfer, TransferProof
from portal.transfers.rules import TransferState


def ask(session: Session, customer_id: UUID, wanted: TopUp, *, now: datetime) -> Payment:
    """A top-up by bank transfer with its reference code; a repeat of the form's key returns the same one.

    Raises what `payments.request_top_up` raises; `UnknownMethod` too while no account is set, and `TooManyOpenTopUps`
    also while as many wait for us: each holds pictures.
    """
    if not settings().bank_accounts:
        raise UnknownMethod
    _refuse_too_many(session, customer_id)
    reference = f"TF{readable_code(8).upper()}"
    how = Collection(BANK_TRANSFER, rules.PROOF_AWAITED_FOR, PaymentStatus.PENDING, order_id=reference)
    payment = payments.request_top_up(session, customer_id, wanted, collected=how, now=now)
    if payment.gateway == BANK_TRANSFER and session.get(BankTransfer, payment.id) is None:
        session.add(BankTransfer(payment_id=payment.id, reference=reference))
    return payment


def _refuse_too_many(session: Session, customer_id: UUID) -> None:
    waiting = select(func.count()).where(
        Payment.customer_id == customer_id, Payment.gateway == BANK_TRANSFER,
        Payment.status.in_([PaymentStatus.PENDING, PaymentStatus.IN_REVIEW]),
    )  # fmt: skip
    if (session.scalar(waiting) or 0) >= settings().top_ups_open_max:
        raise TooManyOpenTopUps


def add_proof(
    session: Session, payment_id: UUID, customer_id: UUID, upload: Upload, *, uploaded_by: UUID, now: datetime
) -> TransferProof:
    """Keeps a proof and hands the transfer to the administrators. Another one replaces it until somebody decided.

    The same proof again changes nothing. Raises `NotFound`, `NoProofWanted`, `TooManyProofs`.
    """
    found = lock(session, payment_id, customer_id=customer_id)
    if not rules.may_upload(found.state, proposed=found.proposed):
        raise NoProofWanted
    latest = _latest(session, payment_id)
    if latest is not None and latest.digest == upload.digest:
        return latest
    if _count(session, payment_id) >= rules.PROOFS_MAX:
        raise TooManyProofs
    proof = TransferProof(
        payment_id=payment_id, content=upload.content, content_type=upload.content_type, size=len(upload.content),
        digest=upload.digest, uploaded_by=uploaded_by, uploaded_at=now,
    )  # fmt: skip
    session.add(proof)
    if found.state is TransferState.WAITING_FOR_PROOF:
        _hand_over(session, found.payment, found.transfer.reference, now=now)
    return proof


def _hand_over(session: Session, payment: Payment, reference: str, *, now: datetime) -> None:
    payment.status = PaymentStatus.IN_REVIEW
    events.record(session, "payment.needs_review", payment_id=payment.id)
    notices.tell(
        session, customer_id=payment.customer_id, code="transfer_proof_received", now=now,
        unique_key=f"transfer_proof_received:{payment.id}",
        parameters={"amount": payment.amount, "payment_id": str(payment.id)},
    )  # fmt: skip
    for reader in operators.readers(session):
        notices.send_mail(
            session, to_address=reader.address, language=reader.language, code="transfer_to_check",
            unique_key=f"transfer_to_check:{payment.id}:{reader.address}"[:200], now=now,
            parameters={"amount": payment.amount, "reference": reference, "payment_id": str(payment.id)},
        )  # fmt: skip


def cancel(session: Session, payment_id: UUID, customer_id: UUID, *, now: datetime) -> Payment:
    """Withdraws a transfer nobody decided about; a repeat changes nothing. Money that came can still be credited."""
    found = lock(session, payment_id, customer_id=customer_id)
    if found.state is TransferState.CANCELLED:
        return found.payment
    if not rules.may_cancel(found.state, proposed=found.proposed):
        raise NotCancellable
    payments.close(session, found.payment, PaymentStatus.CANCELLED, now=now)
    return found.payment


def _latest(session: Session, payment_id: UUID) -> TransferProof | None:
    statement = select(TransferProof).where(TransferProof.payment_id == payment_id)
    return session.scalar(statement.order_by(TransferProof.id.desc()).limit(1))


def _count(session: Session, payment_id: UUID) -> int:
    return session.scalar(select(func.count()).where(TransferProof.payment_id == payment_id)) or 0
