"""What the customer's transactions say: from code and parameters, in the language being read."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from portal.wallet.models import Transaction, TransactionStatus, TransactionType

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
    "subscription": _l("%(app)s %(plan)s, %(interval)s"),
    "renewal": _l("%(app)s %(plan)s renewed, %(interval)s"),
    "upgrade": _l("%(app)s upgraded to %(plan)s, %(interval)s"),
    "upgrade_refund": _l("%(app)s could not be upgraded: price given back"),
    "resumption": _l("%(app)s %(plan)s resumed, %(interval)s"),
    "provisioning_refund": _l("%(app)s could not be started: price given back"),
    "refund": _l("%(app)s: price given back"),
    "cancellation_refund": _l("%(app)s cancelled: unused days given back"),
    "waitlist_hold": _l("Set aside for %(app)s %(plan)s, which you wait for"),
    "waitlist_release": _l("%(app)s %(plan)s: what was set aside is yours to spend again"),
    "adjustment": _l("Correction by our team: %(reason)s"),
    "opening_balance": _l("Credit that you brought along from before"),
    "forfeit": _l("Credit given up when the account was closed"),
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
