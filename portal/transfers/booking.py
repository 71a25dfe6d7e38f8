"""From a decision to the ledger, the receipt and the customer's notice.

A credited transfer has a `gateway_transaction` like any other top-up, under the gateway `bank_transfer` and the
transfer's reference, so that the proofs of the books hold for it unchanged.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.money import Money
from portal.notices import actions as notices
from portal.payments import booking, rules
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt, PaymentStatus
from portal.payments.rules import BANK_TRANSFER
from portal.transfers.models import BankTransfer
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.models import EntryKind, TransactionType

AMOUNT_MAX = 1_000_000_000
"""Above what anybody transfers; a slip of the finger has more zeros."""


def credit(session: Session, payment: Payment, transfer: BankTransfer, *, amount: int, now: datetime) -> None:
    """Books what arrived, drafts its receipt and tells the customer. The payment is locked and was never credited."""
    late = payment.status in rules.SHUT
    row = _transaction(session, payment, transfer, amount=amount, now=now)
    booked = wallet.credit_top_up(
        session, payment.customer_id, Money(amount, payment.currency), gateway=BANK_TRANSFER,
        key=f"{BANK_TRANSFER}:{transfer.reference}:credit", payment_id=payment.id, line=booking.line(payment), now=now,
    )  # fmt: skip
    assert booked, "a transfer is credited once"
    payment.status = PaymentStatus.PAID_LATE if late else PaymentStatus.SETTLED
    payment.settled_at = now
    booking.draft_receipt(session, payment, row, now=now)
    _tell_credited(session, payment, amount=amount, now=now)


def _transaction(
    session: Session, payment: Payment, transfer: BankTransfer, *, amount: int, now: datetime
) -> GatewayTransaction:
    attempt = session.scalars(select(PaymentAttempt.id).where(PaymentAttempt.payment_id == payment.id)).one()
    row = GatewayTransaction(
        attempt_id=attempt, gateway=BANK_TRANSFER, transaction_id=transfer.reference, status="settlement",
        payment_type=BANK_TRANSFER, gross_amount=amount, currency=payment.currency, credited=amount, taken_back=0,
        instructions={}, first_seen_at=now, updated_at=now, settled_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def transaction_of(session: Session, transfer: BankTransfer) -> GatewayTransaction:
    """The row of a credited transfer, as it is now."""
    statement = select(GatewayTransaction).where(
        GatewayTransaction.gateway == BANK_TRANSFER, GatewayTransaction.transaction_id == transfer.reference
    )
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def take_back(
    session: Session, payment: Payment, row: GatewayTransaction, *, amount: int, reason: str, now: datetime
) -> None:
    """Books what is taken back, up to what was credited, and tells the customer why."""
    target = row.taken_back + amount
    key = f"{BANK_TRANSFER}:{row.transaction_id}:top_up_reversal:{target}"
    line = Line(TransactionType.REFUND, "transfer_taken_back", {"method": payment.method})
    booked = wallet.take_back_top_up(
        session, payment.customer_id, Money(amount, payment.currency), kind=EntryKind.TOP_UP_REVERSAL,
        gateway=BANK_TRANSFER, key=key, payment_id=payment.id, line=line, now=now,
    )  # fmt: skip
    assert booked, "a sum is taken back once"
    row.taken_back, row.updated_at = target, now
    whole = target == row.credited
    if whole:
        wallet.mark_refunded(session, payment.id)
    payment.status = PaymentStatus.REVERSED if whole else PaymentStatus.PARTIALLY_REFUNDED
    notices.tell(
        session, customer_id=payment.customer_id, code="transfer_taken_back", unique_key=key, now=now,
        parameters={"amount": amount, "payment_id": str(payment.id), "explanation": reason},
    )  # fmt: skip


def _tell_credited(session: Session, payment: Payment, *, amount: int, now: datetime) -> None:
    """The receipt is the mail; one of its own says so when another amount arrived than was asked for."""
    differs = amount != payment.amount
    code = "transfer_credited_differs" if differs else "transfer_credited"
    notices.tell(
        session, customer_id=payment.customer_id, code=code, unique_key=f"{code}:{payment.id}", now=now, mail=differs,
        parameters={"amount": amount, "asked_sum": payment.amount, "payment_id": str(payment.id)},
    )  # fmt: skip
