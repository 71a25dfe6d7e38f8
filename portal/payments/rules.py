"""Pure decisions about payments: methods, what a gateway's answer means, and which state may follow which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flask_babel import lazy_gettext as _l

from portal.core.money import Money
from portal.payments.gateways import Answer
from portal.payments.models import GatewayTransaction, PaymentStatus


@dataclass(frozen=True)
class Method:
    """A way to pay, as the top-up page offers it."""

    code: str  # also the popup's name for it
    group: str
    label: str
    hint: object
    takes: object  # how long until the credit is there
    gateway: str = "midtrans"


BANK_TRANSFER = "bank_transfer"
"""A way without a gateway: money on our own bank account, which a person finds there. See `portal.transfers`."""
BANK, WALLET, QRIS, CARD = "bank", "wallet", "qris", "card"
_SECONDS = _l("usually 20 seconds")
METHODS: dict[str, Method] = {
    method.code: method
    for method in (
        Method("qris", QRIS, "QRIS", _l("any bank or e-wallet app, LinkAja too"), _SECONDS),
        Method("gopay", WALLET, "GoPay", _l("in the GoPay or Gojek app"), _SECONDS),
        Method("shopeepay", WALLET, "ShopeePay", _l("in the Shopee app"), _SECONDS),
        Method("ovo", WALLET, "OVO", _l("in the OVO app"), _SECONDS),
        Method("dana", WALLET, "DANA", _l("in the DANA app"), _SECONDS),
        Method("bca_va", BANK, "BCA", _l("virtual account"), _SECONDS),
        Method("bni_va", BANK, "BNI", _l("virtual account"), _SECONDS),
        Method("bri_va", BANK, "BRI", _l("BRIVA"), _SECONDS),
        Method("echannel", BANK, "Mandiri", _l("Mandiri bill payment"), _l("up to 5 minutes")),
        Method("permata_va", BANK, "Permata", _l("virtual account"), _l("up to 5 minutes")),
        Method("credit_card", CARD, _l("Credit or debit card"), _l("Visa, Mastercard, JCB, with 3-D Secure"), _SECONDS),
        Method(
            BANK_TRANSFER, BANK_TRANSFER, _l("Bank transfer, checked by us"),
            _l("to our bank account; you upload a proof"), _l("usually one working day"), gateway=BANK_TRANSFER,
        ),
    )
}  # fmt: skip


def offered(*, bank_transfer: bool) -> list[Method]:
    """The ways to pay that the top-up page shows; the bank transfer where there is an account for it."""
    return [method for method in METHODS.values() if bank_transfer or method.gateway != BANK_TRANSFER]


PAID = {"settlement", "capture"}
TAKEN_BACK = {"refund", "partial_refund", "chargeback", "partial_chargeback"}
REFUNDABLE_TYPES = {"credit_card", "gopay", "shopeepay", "dana", "ovo", "qris"}
REFUNDABLE_STATES = {"settlement", "partial_refund"}
"""What Midtrans gives back on request. Source: Midtrans refund API: from these states; virtual accounts, bills and
convenience stores never."""
CANCELLABLE = {"pending", "authorize"}
"""No money was taken yet, so that cancelling gives none back."""
REFUND_SHOWN_WITHIN = timedelta(days=1)
"""How long the status may not show a refund that the gateway took: our assumption, by its documents it is at once."""
KNOWN = PAID | TAKEN_BACK | {"pending", "authorize", "deny", "failure", "cancel", "expire"}
# How long a payment shown as expired, cancelled or failed is still asked about: late money is credited.
WATCH_AFTER_EXPIRY = timedelta(days=7)


class Meaning(StrEnum):
    """What an answer means for the books."""

    WAITING = "WAITING"
    PAID = "PAID"
    REVIEW = "REVIEW"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"  # a word we do not know: nothing changes, the operator hears of it


def meaning(answer: Answer, *, expected: Money) -> Meaning:
    """Reads an answer. Whatever would move money is first compared with the amount and currency we asked for.

    Source: Midtrans transaction-status pages: paid is settlement or capture with fraud_status absent or accept.
    """
    if answer.status in PAID | TAKEN_BACK:
        if answer.amount != expected:
            return Meaning.REVIEW
        return Meaning.PAID if answer.fraud_status in (None, "accept") else Meaning.REVIEW
    return {
        "pending": Meaning.WAITING,
        "authorize": Meaning.REVIEW,
        "deny": Meaning.FAILED,
        "failure": Meaning.FAILED,
        "cancel": Meaning.CANCELLED,
        "expire": Meaning.EXPIRED,
    }.get(answer.status, Meaning.UNKNOWN)


def taken_back(answer: Answer, *, credited: int) -> int:
    """How much of a credited transaction the gateway has taken back in all; a denial after payment takes it whole."""
    if answer.status in ("deny", "cancel", "failure"):
        return credited
    if answer.status in TAKEN_BACK:
        return min(answer.taken_back, credited)
    return 0


def refundable(row: GatewayTransaction) -> int:
    """What the gateway still holds of a credited transaction, in whole rupiah."""
    return row.credited - row.taken_back


def may_refund(row: GatewayTransaction) -> bool:
    """May the gateway be asked to send it back? One rule for the form and the action."""
    at_gateway = row.gateway != BANK_TRANSFER and row.payment_type in REFUNDABLE_TYPES
    return at_gateway and row.status in REFUNDABLE_STATES and refundable(row) > 0


def refund_pause(*, since: datetime, now: datetime) -> timedelta:
    """Until the gateway's status is read again for a refund that it took and does not show: a quarter of the time since
    it was asked for, at least a minute and at most an hour. For ever: what is not known is not given back."""
    return min(max((now - since) / 4, timedelta(minutes=1)), timedelta(hours=1))


def is_refusal_believed(tried_at: datetime | None, *, now: datetime) -> bool:
    """Does the gateway's no mean that nothing was sent? At the first try, yes. After one whose outcome nobody knows it
    says nothing of that one: only once the status has not shown a refund for long."""
    return tried_at is None or now - tried_at >= REFUND_SHOWN_WITHIN


def after_rejection(found: Meaning, answer: Answer) -> Meaning:
    """What a person rejected is not reviewed again; only that it went back is news."""
    return Meaning.FAILED if found is Meaning.REVIEW and answer.status not in ("refund", "chargeback") else found


def may_credit_as_paid(row: GatewayTransaction, *, expected: Money) -> bool:
    """May a person credit what really arrived? The gateway calls it paid and undisputed, and only its sum differs.

    What the gateway itself doubts (a challenged card, an authorisation) is decided there, and credited by its word.
    """
    fits = row.gross_amount > 0 and row.currency == expected.currency and row.gross_amount != expected.amount
    return _undisputed(row) and fits and row.credited == 0 and row.rejected_at is None


def may_reject(row: GatewayTransaction, *, expected: Money) -> bool:
    """May a person decide that it is not credited? What was paid as asked is credited without asking anybody; once
    it is credited, only the gateway's word takes it back."""
    as_asked = _undisputed(row) and (row.gross_amount, row.currency) == (expected.amount, expected.currency)
    open_one = row.credited == 0 and row.rejected_at is None
    return open_one and not as_asked and row.status in PAID | {"authorize"}


def _undisputed(row: GatewayTransaction) -> bool:
    return row.status in PAID and row.fraud_status in (None, "accept")


GIVEN_BACK = (PaymentStatus.REFUNDED, PaymentStatus.CHARGED_BACK, PaymentStatus.REVERSED)
"""Wholly taken back; a word about another try of the same payment does not rename how."""
SHUT = (PaymentStatus.EXPIRED, PaymentStatus.CANCELLED, PaymentStatus.FAILED)
"""Shown as over; money that still arrives is credited as paid late."""


def next_status(
    status: PaymentStatus, found: Meaning, *, credited: int, taken: int, taken_by: str
) -> PaymentStatus:  # fmt: skip
    """The payment's state after an answer was booked. `credited` and `taken` are over all its transactions."""
    if credited:
        return _after_credit(status, credited=credited, taken=taken, taken_by=taken_by)
    if found is Meaning.REVIEW:
        # Never credited, and the gateway gave it back: nothing is left for a person to decide.
        return PaymentStatus.REFUNDED if taken_by in ("refund", "chargeback") else PaymentStatus.IN_REVIEW
    if status in SHUT:
        return status
    return {
        Meaning.WAITING: PaymentStatus.PENDING,
        Meaning.CANCELLED: PaymentStatus.CANCELLED,
        Meaning.EXPIRED: PaymentStatus.EXPIRED,
        # A refused card try is not the end: the popup offers another one until the order expires.
        Meaning.FAILED: status if status is PaymentStatus.CREATED else PaymentStatus.PENDING,
    }.get(found, status)


def _after_credit(status: PaymentStatus, *, credited: int, taken: int, taken_by: str) -> PaymentStatus:
    if taken >= credited:
        return {
            "chargeback": PaymentStatus.CHARGED_BACK,
            "partial_chargeback": PaymentStatus.CHARGED_BACK,
            "refund": PaymentStatus.REFUNDED,
            "partial_refund": PaymentStatus.REFUNDED,
        }.get(taken_by, status if status in GIVEN_BACK else PaymentStatus.REVERSED)
    if taken:
        return PaymentStatus.PARTIALLY_REFUNDED
    if status in SHUT or status is PaymentStatus.PAID_LATE:
        return PaymentStatus.PAID_LATE
    return PaymentStatus.SETTLED


def may_pay(status: str, *, expires_at: datetime, now: datetime) -> bool:
    """May the customer still pay, or go on paying?"""
    return status in (PaymentStatus.CREATED, PaymentStatus.PENDING) and now < expires_at


def may_cancel(status: str) -> bool:
    """May the customer cancel?"""
    return status in (PaymentStatus.CREATED, PaymentStatus.PENDING)


def is_settled_state(status: str) -> bool:
    """Will this page change by itself no more (short of a refund)?"""
    return status not in (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.IN_REVIEW)
