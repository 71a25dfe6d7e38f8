"""What the customer's transactions say: from code and parameters, in the language being read."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from portal.wallet.models import AccountKind, EntryKind, Transaction, TransactionStatus, TransactionType

TYPES: dict[str, Any] = {
    TransactionType.TOP_UP: _l("Top-up"),
    TransactionType.SUBSCRIPTION: _l("Subscription"),
    TransactionType.RENEWAL: _l("Renewal"),
    TransactionType.UPGRADE: _l("Upgrade"),
    TransactionType.SETUP_FEE: _l("Setup fee"),
    TransactionType.REFUND: _l("Refund"),
    TransactionType.PROMO: _l("Promotion"),
    TransactionType.HOLD: _l("Set aside"),
    TransactionType.ADMIN_ADJUSTMENT: _l("Correction"),
    TransactionType.OPENING_BALANCE: _l("Opening balance"),
}

STATUSES: dict[str, Any] = {
    TransactionStatus.PENDING: _l("Pending"),
    TransactionStatus.COMPLETED: _l("Completed"),
    TransactionStatus.FAILED: _l("Failed"),
    TransactionStatus.CANCELLED: _l("Cancelled"),
    TransactionStatus.REFUNDED: _l("Refunded"),
}

LINES: dict[str, Any] = {
    "top_up": _l("Top-up with %(method)s"),
    "top_up_refunded": _l("Top-up with %(method)s: money sent back to you"),
    "top_up_charged_back": _l("Top-up with %(method)s: charged back by your bank"),
    "top_up_reversed": _l("Top-up with %(method)s: reversed by the bank"),
    "transfer_taken_back": _l("Top-up with %(method)s: taken back by our team"),
    "subscription": _l("%(app)s %(plan)s, %(interval)s"),
    "renewal": _l("%(app)s %(plan)s renewed, %(interval)s"),
    "upgrade": _l("%(app)s upgraded to %(plan)s, %(interval)s"),
    "upgrade_refund": _l("%(app)s could not be upgraded: price given back"),
    "resumption": _l("%(app)s %(plan)s resumed, %(interval)s"),
    "provisioning_refund": _l("%(app)s could not be started: price given back"),
    "refund": _l("%(app)s: price given back"),
    "invoice_credit": _l("%(app)s: credited by our team"),
    "cancellation_refund": _l("%(app)s cancelled: unused days given back"),
    "waitlist_hold": _l("Set aside for %(app)s %(plan)s, which you wait for"),
    "waitlist_release": _l("%(app)s %(plan)s: what was set aside is yours to spend again"),
    "adjustment": _l("Correction by our team: %(reason)s"),
    "opening_balance": _l("Credit that you brought along from before"),
    "refund_hold": _l("Set aside to go back to you by %(method)s"),
    "refund_sent": _l("No longer set aside: on its way back to you by %(method)s"),
    "refund_refused": _l("%(method)s could not send it back: yours to spend again"),
    "promo": _l("Promo code %(code)s"),
    "forfeit": _l("Credit given up when the account was closed"),
}

ENTRIES: dict[str, Any] = {
    EntryKind.TOP_UP: _l("Top-up"),
    EntryKind.TOP_UP_REVERSAL: _l("Top-up reversed"),
    EntryKind.GATEWAY_REFUND: _l("Refund at the gateway"),
    EntryKind.CHARGEBACK: _l("Chargeback"),
    EntryKind.PURCHASE: _l("Purchase"),
    EntryKind.PURCHASE_REFUND: _l("Purchase given back"),
    EntryKind.HOLD: _l("Set aside"),
    EntryKind.RELEASE: _l("Set aside no more"),
    EntryKind.DEBT_PAYMENT: _l("Debt paid"),
    EntryKind.ADJUSTMENT: _l("Adjustment"),
    EntryKind.OPENING_BALANCE: _l("Opening balance"),
    EntryKind.PROMO: _l("Promo code redeemed"),
    EntryKind.PAYOUT: _l("Payout"),
    EntryKind.FORFEIT: _l("Credit given up"),
}

ACCOUNTS: dict[str, Any] = {
    AccountKind.AVAILABLE: _l("Available credit"),
    AccountKind.HELD: _l("Credit set aside"),
    AccountKind.RECEIVABLE: _l("Debt of the customer"),
    AccountKind.GATEWAY_CLEARING: _l("Clearing with the gateway"),
    AccountKind.GATEWAY_FEES: _l("Fees of the gateway"),
    AccountKind.BANK: _l("Bank"),
    AccountKind.REVENUE: _l("Revenue"),
    AccountKind.DEFERRED_REVENUE: _l("Revenue of later periods"),
    AccountKind.PPN_PAYABLE: _l("PPN payable"),
    AccountKind.PROMOTIONS: _l("Promotions"),
    AccountKind.ADJUSTMENTS: _l("Adjustments"),
    AccountKind.OPENING_BALANCE: _l("Opening balances"),
    AccountKind.PAYOUTS: _l("Payouts"),
    AccountKind.FORFEITS: _l("Credit given up"),
}

INTERVALS: dict[str, Any] = {"MONTHLY": _l("one month"), "YEARLY": _l("one year")}

METHODS: dict[str, Any] = {
    "qris": "QRIS",
    "gopay": "GoPay",
    "shopeepay": "ShopeePay",
    "ovo": "OVO",
    "dana": "DANA",
    "bca_va": _l("BCA virtual account"),
    "bni_va": _l("BNI virtual account"),
    "bri_va": "BRIVA",
    "echannel": _l("Mandiri bill payment"),
    "permata_va": _l("Permata virtual account"),
    "credit_card": _l("card"),
    "bank_transfer": _l("bank transfer"),
}

NOTHING = "–"


def line_text(line: Transaction) -> str:
    """What happened, in one line; a code we do not know falls back to its type, a missing parameter to a dash."""
    shown = _Shown({name: _show(name, value) for name, value in line.parameters.items()})
    return str(LINES.get(line.code) or TYPES.get(line.type) or line.type) % shown


class _Shown(dict[str, str]):
    """A parameter that nobody passed is a dash."""

    def __missing__(self, name: str) -> str:
        return NOTHING


def _show(name: str, value: Any) -> str:
    words = {"method": METHODS, "interval": INTERVALS}.get(name, {})
    return NOTHING if value is None else str(words.get(str(value), value))


def month_name(first: date, pattern: str = "MMMM y") -> str:
    """`March 2026`."""
    return format_date(first, pattern)
