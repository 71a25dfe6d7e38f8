"""Pure decisions about bank transfers: where to pay, which state, who may decide what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from config import BANK_ACCOUNT
from portal.core.errors import PortalError
from portal.payments.models import PaymentStatus
from portal.transfers.errors import AlreadyDecided, OwnTransfer, WrongFacts

PROOF_AWAITED_FOR = timedelta(days=7)
PROOFS_MAX = 5
REASON_LENGTH_MAX = 300
BANK_REFERENCE_LENGTH_MAX = 60


class TransferState(StrEnum):
    """What a bank transfer is at: its payment's status, in the words of a transfer."""

    WAITING_FOR_PROOF = "WAITING_FOR_PROOF"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    PARTLY_TAKEN_BACK = "PARTLY_TAKEN_BACK"
    TAKEN_BACK = "TAKEN_BACK"


STATES: dict[str, TransferState] = {
    PaymentStatus.PENDING: TransferState.WAITING_FOR_PROOF,
    PaymentStatus.IN_REVIEW: TransferState.IN_REVIEW,
    PaymentStatus.SETTLED: TransferState.APPROVED,
    PaymentStatus.PAID_LATE: TransferState.APPROVED,
    PaymentStatus.FAILED: TransferState.REJECTED,
    PaymentStatus.CANCELLED: TransferState.CANCELLED,
    PaymentStatus.EXPIRED: TransferState.EXPIRED,
    PaymentStatus.PARTIALLY_REFUNDED: TransferState.PARTLY_TAKEN_BACK,
    PaymentStatus.REVERSED: TransferState.TAKEN_BACK,
}
UNDECIDED = (TransferState.WAITING_FOR_PROOF, TransferState.IN_REVIEW)
NEVER_CREDITED = (*UNDECIDED, TransferState.REJECTED, TransferState.CANCELLED, TransferState.EXPIRED)
"""What may still be credited: money that was found on our account is the customer's, however the transfer stood."""
CREDITED = (TransferState.APPROVED, TransferState.PARTLY_TAKEN_BACK)


def state_of(status: str) -> TransferState:
    """The transfer's word for its payment's status."""
    return STATES[status]


def statuses_of(state: TransferState) -> list[str]:
    """The payment's statuses behind a transfer's word."""
    return [str(status) for status, found in STATES.items() if found is state]


@dataclass(frozen=True)
class BankAccount:
    """Where customers pay to."""

    bank: str
    number: str
    holder: str


def accounts(text: str) -> list[BankAccount]:
    """Reads the setting `bank_accounts`, which was checked at the start."""
    found = (BANK_ACCOUNT.fullmatch(part.strip()) for part in text.split(";"))
    return [BankAccount(one["bank"].strip(), one["number"], one["holder"].strip()) for one in found if one]


def plain(text: str) -> str:
    """What somebody typed, on one line, without characters that cannot be seen."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


@dataclass(frozen=True)
class Received:
    """A line of our bank account, as an administrator read it."""

    amount: int
    bank_reference: str
    received_on: date


def may_upload(state: TransferState, *, proposed: bool) -> bool:
    """May the customer upload a proof, or another one? Until somebody has decided, the first of two included."""
    return state in UNDECIDED and not proposed


may_cancel = may_upload


def refusal_to_decide(*, is_member: bool) -> PortalError | None:
    """Why an administrator may not decide about a customer's transfer: nobody approves money to themselves."""
    return OwnTransfer() if is_member else None


def refusal_to_approve(
    state: TransferState, received: Received, *, is_member: bool, amount_max: int, today: date
) -> PortalError | None:
    """Why an administrator may not credit what the bank's line says; None when they may."""
    if refusal := refusal_to_decide(is_member=is_member):
        return refusal
    if state not in NEVER_CREDITED:
        return AlreadyDecided()
    fits = 0 < received.amount <= amount_max and 0 < len(received.bank_reference) <= BANK_REFERENCE_LENGTH_MAX
    return None if fits and received.received_on <= today else WrongFacts()


def needs_another(
    received: Received, *, limit: int, proposal: Received | None, proposed_by_me: bool
) -> bool:  # fmt: skip
    """Has another administrator to approve too? Above the limit two of them must have read the same on the account."""
    if received.amount <= limit:
        return False
    return proposed_by_me or proposal != received
