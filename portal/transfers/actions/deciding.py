"""The administrators' verbs: credit what arrived, reject, take back. Each is audited and refuses one's own money."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from config import settings
from portal.accounts import queries as accounts
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import clock
from portal.core.errors import PortalError
from portal.notices import actions as notices
from portal.payments import actions as payments
from portal.payments.models import Payment, PaymentStatus
from portal.transfers import booking, rules
from portal.transfers.actions.locking import Locked, lock
from portal.transfers.errors import AlreadyDecided, BankLineTaken, NothingToTakeBack, ReasonNeeded
from portal.transfers.models import BankTransfer
from portal.transfers.rules import Received


def approve(session: Session, payment_id: UUID, received: Received, *, actor: Actor, now: datetime) -> Payment:
    """Credits what arrived on our account, once. Above `transfer_approval_limit` the first call only proposes, and
    another administrator's call with the same facts credits; other facts are a new proposal.

    Raises `NotFound`, `OwnTransfer`, `AlreadyDecided`, `WrongFacts`, `BankLineTaken`.
    """
    found = lock(session, payment_id)
    _refuse(rules.refusal_to_approve(
        found.state, received, is_member=_is_member(session, actor, found.payment), amount_max=booking.AMOUNT_MAX,
        today=clock.today(now),
    ))  # fmt: skip
    _refuse_taken_line(session, received)
    transfer = found.transfer
    mine, proposal = transfer.proposed_by == actor.user_id, _proposal(transfer)
    if rules.needs_another(received, limit=settings().transfer_approval_limit, proposal=proposal, proposed_by_me=mine):
        _propose(session, found, received, actor=actor, now=now)
        return found.payment
    _settle(session, found, received, actor=actor, now=now)
    return found.payment


def _propose(session: Session, found: Locked, received: Received, *, actor: Actor, now: datetime) -> None:
    transfer, before = found.transfer, _facts(found)
    if transfer.proposed_by == actor.user_id and _proposal(transfer) == received:
        return
    _take_in(transfer, received)
    transfer.proposed_by, transfer.proposed_at = actor.user_id, now
    _note(session, actor, "transfer.approval_proposed", found, before, now=now)


def _settle(session: Session, found: Locked, received: Received, *, actor: Actor, now: datetime) -> None:
    transfer, before = found.transfer, _facts(found)
    _take_in(transfer, received)
    if transfer.proposed_by == actor.user_id:  # proposed more than the limit, then found that it was less
        transfer.proposed_by, transfer.proposed_at = None, None
    transfer.decided_by, transfer.decided_at, transfer.reason = actor.user_id, now, None
    _flush(session)
    booking.credit(session, found.payment, transfer, amount=received.amount, now=now)
    _note(session, actor, "transfer.approved", found, before, now=now)


def _flush(session: Session) -> None:
    """Two administrators may credit one line of the account for two transfers at once: the index lets one pass."""
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", "") != "uq_bank_transfer_bank_line":
            raise
        raise BankLineTaken from None


def reject(session: Session, payment_id: UUID, *, reason: str, actor: Actor, now: datetime) -> Payment:
    """Closes a transfer that is not on our account, with a reason for the customer; a repeat is `AlreadyDecided`."""
    found = lock(session, payment_id)
    payment, transfer, before = found.payment, found.transfer, _facts(found)
    _refuse(rules.refusal_to_decide(is_member=_is_member(session, actor, payment)))
    if found.state not in rules.UNDECIDED:
        raise AlreadyDecided
    transfer.reason = _reason(reason)
    transfer.received_amount = transfer.received_on = transfer.bank_reference = None
    transfer.proposed_by = transfer.proposed_at = None
    transfer.decided_by, transfer.decided_at = actor.user_id, now
    payments.close(session, payment, PaymentStatus.FAILED, now=now)
    _note(session, actor, "transfer.rejected", found, before, now=now, reason=transfer.reason)
    notices.tell(
        session, customer_id=payment.customer_id, code="transfer_rejected", now=now,
        unique_key=f"transfer_rejected:{payment.id}",
        parameters={"amount": payment.amount, "payment_id": str(payment.id), "explanation": transfer.reason},
    )  # fmt: skip
    return payment


def take_back(
    session: Session, payment_id: UUID, *, amount: int, so_far: int, reason: str, actor: Actor, now: datetime
) -> Payment:
    """Takes back part or all of what was credited by mistake; what was spent becomes a debt.

    `so_far` is what the administrator saw as taken back already, so that a double press is one take-back. Raises
    `NotFound`, `OwnTransfer`, `NothingToTakeBack`.
    """
    found = lock(session, payment_id)
    before, said = _facts(found), _reason(reason)
    _refuse(rules.refusal_to_decide(is_member=_is_member(session, actor, found.payment)))
    if found.state not in rules.CREDITED:
        raise NothingToTakeBack
    row = booking.transaction_of(session, found.transfer)
    if row.taken_back != so_far or not 0 < amount <= row.credited - row.taken_back:
        raise NothingToTakeBack
    booking.take_back(session, found.payment, row, amount=amount, reason=said, now=now)
    if row.taken_back == row.credited:
        found.transfer.taken_back_at = now
    _note(session, actor, "transfer.taken_back", found, before, now=now, reason=said, amount=amount)
    return found.payment


def _is_member(session: Session, actor: Actor, payment: Payment) -> bool:
    return accounts.is_member(session, actor.user_id, payment.customer_id)


def _refuse(refusal: PortalError | None) -> None:
    if refusal is not None:
        raise refusal


def _refuse_taken_line(session: Session, received: Received) -> None:
    taken = select(BankTransfer.payment_id).where(
        BankTransfer.bank_reference == received.bank_reference, BankTransfer.received_on == received.received_on,
        BankTransfer.decided_at.is_not(None), BankTransfer.taken_back_at.is_(None),
    )  # fmt: skip
    if session.scalar(taken.limit(1)) is not None:
        raise BankLineTaken


def _reason(text: str) -> str:
    said = rules.plain(text).rstrip(".")
    if not said or len(said) > rules.REASON_LENGTH_MAX:
        raise ReasonNeeded
    return said


def _proposal(transfer: BankTransfer) -> Received | None:
    if not (transfer.proposed_at and transfer.received_amount and transfer.bank_reference and transfer.received_on):
        return None
    return Received(transfer.received_amount, transfer.bank_reference, transfer.received_on)


def _take_in(transfer: BankTransfer, received: Received) -> None:
    transfer.received_amount = received.amount
    transfer.bank_reference, transfer.received_on = received.bank_reference, received.received_on


def _facts(found: Locked) -> dict[str, Any]:
    transfer = found.transfer
    return {
        "state": str(found.state), "received_amount": transfer.received_amount,
        "bank_reference": transfer.bank_reference,
        "received_on": transfer.received_on.isoformat() if transfer.received_on else None,
        "proposed_by": str(transfer.proposed_by) if transfer.proposed_by else None,
    }  # fmt: skip


def _note(
    session: Session, actor: Actor, action: str, found: Locked, before: dict[str, Any], *, now: datetime, **facts: Any
) -> None:
    audit.changed(
        session, actor, action, subject_kind="payment", subject_id=found.payment.id, before=before,
        after=_facts(found), now=now, customer_id=str(found.payment.customer_id), **facts,
    )  # fmt: skip
