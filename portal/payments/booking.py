"""From a gateway's answer to the ledger, the receipt and the customer's notice: the money side of `record_answer`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.core.money import Money
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.models import Series
from portal.notices import actions as notices
from portal.payments import refunding, rules
from portal.payments.gateways import Answer
from portal.payments.models import GatewayTransaction, Payment, PaymentStatus
from portal.payments.rules import BANK_TRANSFER
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.models import EntryKind, TransactionType


def line(payment: Payment) -> Line:
    """How a top-up reads on the customer's list."""
    return Line(TransactionType.TOP_UP, "top_up", {"method": payment.method})


def book(
    session: Session, payment: Payment, row: GatewayTransaction, answer: Answer, found: rules.Meaning, *, now: datetime
) -> bool:
    """Credits a paid transaction once and takes back exactly the difference to what was taken back before.

    Keys are (gateway, transaction id, kind), so that two paid attempts are two credits and a repeat is none.
    """
    moved = False
    if found is rules.Meaning.PAID and row.credited == 0:
        moved = credit(session, payment, row, payment.money, settled_at=answer.settled_at or now, now=now)
    target = rules.taken_back(answer, credited=row.credited)
    if target > row.taken_back:
        moved = _take_back(session, payment, row, answer, target=target, now=now) or moved
    return moved


def credit(
    session: Session, payment: Payment, row: GatewayTransaction, amount: Money, *, settled_at: datetime, now: datetime
) -> bool:
    """Credits a transaction once: the entry, its receipt and the customer's notice. False when it was booked before."""
    late = payment.status in rules.SHUT
    key = f"{row.gateway}:{row.transaction_id}:credit"
    booked = wallet.credit_top_up(
        session, payment.customer_id, amount, gateway=row.gateway, key=key, payment_id=payment.id,
        line=line(payment), now=now,
    )  # fmt: skip
    row.credited, row.settled_at = amount.amount, settled_at
    payment.settled_at = payment.settled_at or now
    draft_receipt(session, payment, row, now=now)
    _tell(session, payment, "top_up_paid_late" if late else "top_up_settled", key, amount=amount.amount, now=now)
    return booked


def draft_receipt(session: Session, payment: Payment, row: GatewayTransaction, *, now: datetime) -> None:
    """The receipt of what was credited for a transaction."""
    lines = [DocumentLine("top_up", {"method": payment.method}, row.credited)]
    invoices.draft(
        session, customer_id=payment.customer_id, series=Series.RECEIPT, reference_kind="gateway_transaction",
        reference_id=row.id, lines=lines, now=now,
    )  # fmt: skip


def _take_back(
    session: Session, payment: Payment, row: GatewayTransaction, answer: Answer, *, target: int, now: datetime
) -> bool:
    kind, code = _kind_of(answer.status)
    amount = target - row.taken_back
    key = f"{row.gateway}:{row.transaction_id}:{kind.lower()}:{target}"
    refunding.arrived(session, payment, row, total=target, now=now)
    booked = wallet.take_back_top_up(
        session, payment.customer_id, Money(amount, payment.currency), kind=kind, gateway=row.gateway, key=key,
        payment_id=payment.id, line=Line(TransactionType.REFUND, code, {"method": payment.method}), now=now,
    )  # fmt: skip
    row.taken_back = target
    if target == row.credited:
        wallet.mark_refunded(session, payment.id)
    _tell(session, payment, code, key, amount=amount, now=now)
    return booked


def _kind_of(status: str) -> tuple[EntryKind, str]:
    """The entry's kind and the notice's code for a take-back."""
    if "chargeback" in status:
        return EntryKind.CHARGEBACK, "top_up_charged_back"
    if "refund" in status:
        return EntryKind.GATEWAY_REFUND, "top_up_refunded"
    return EntryKind.TOP_UP_REVERSAL, "top_up_reversed"


def tell_closed(session: Session, payment: Payment, *, now: datetime) -> None:
    """Tells the customer that a top-up expired or failed; their own cancellation needs no message."""
    if payment.gateway == BANK_TRANSFER:
        _tell(session, payment, "transfer_expired", f"payment:{payment.id}", amount=payment.amount, now=now)
        return
    codes = {PaymentStatus.EXPIRED: "top_up_expired", PaymentStatus.FAILED: "top_up_failed"}
    code = codes.get(PaymentStatus(payment.status))
    if code:
        _tell(session, payment, code, f"payment:{payment.id}", amount=payment.amount, now=now)


def tell_review(session: Session, payment: Payment, *, now: datetime) -> None:
    """Tells the customer that a person looks at their payment."""
    _tell(session, payment, "top_up_in_review", f"payment:{payment.id}", amount=payment.amount, now=now)


def tell_rejected(session: Session, payment: Payment, row: GatewayTransaction, *, now: datetime) -> None:
    """Tells the customer that what they paid is not credited, and goes back to them."""
    key = f"{row.gateway}:{row.transaction_id}"
    _tell(session, payment, "top_up_rejected", key, amount=row.gross_amount, now=now)


def _tell(session: Session, payment: Payment, code: str, key: str, *, amount: int, now: datetime) -> None:
    """In-app always; by mail too, but for a settled top-up, whose receipt is the mail."""
    notices.tell(
        session, customer_id=payment.customer_id, code=code, unique_key=f"{code}:{key}", now=now,
        mail=code not in ("top_up_settled",),
        parameters={"amount": amount, "method": payment.method, "payment_id": str(payment.id)},
    )  # fmt: skip
