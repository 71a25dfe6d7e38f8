"""Opening a transaction: which numbers the customer is shown and until when they can be paid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .cards import Card
from .methods import Method
from .qris import qris_payload
from .records import Order, Records, Transaction, new_id
from .snap_rules import expiry_window

MANDIRI_BILLER_CODE = "70012"


def issue(order: Order, method: Method, records: Records, *, now: datetime, card: Card | None = None,
          ui: str = "deeplink") -> Transaction:  # fmt: skip
    """A fresh pending transaction, not yet stored. A wallet paid by scanning is reported as qris."""
    transaction_id = new_id()
    scanned = method.family == "wallet" and ui == "qr"
    return Transaction(
        transaction_id=transaction_id,
        order_id=order.order_id,
        method_code=method.code,
        payment_type="qris" if scanned else method.payment_type,
        amount=order.amount,
        created_at=now,
        expires_at=_expires_at(order, method, now),
        shown=_shown(order, method, records, transaction_id, card),
    )


def _expires_at(order: Order, method: Method, now: datetime) -> datetime:
    if order.request.get("expiry"):
        return expiry_window(order.request["expiry"], now=now)
    return now + timedelta(seconds=method.expiry_s)


def _shown(order: Order, method: Method, records: Records, transaction_id: str,
           card: Card | None) -> dict[str, Any]:  # fmt: skip
    if method.family in ("va", "bill", "store"):
        return _numbered(order, method, records)
    if card is not None:
        return _card_fields(card)
    reference = transaction_id.replace("-", "")
    text = qris_payload(reference=reference, amount=order.amount, merchant_name="MINISPOD")
    if method.family == "wallet":
        return {"qr_string": text}
    return {"qr_string": text, "transaction_type": "on-us", "acquirer": "gopay", "issuer": "gopay"}


def _numbered(order: Order, method: Method, records: Records) -> dict[str, Any]:
    asked = (order.request.get(method.code) or {}).get("va_number", "")
    number = method.number_prefix + str(asked) if asked else ""
    if not number or records.find_by_reference(number):
        number = records.unused_number(method.number_prefix, method.number_digits)
    if method.family == "bill":
        return {"biller_code": MANDIRI_BILLER_CODE, "bill_key": number}
    if method.family == "store":
        return {"store": method.bank, "payment_code": number}
    if method.bank == "permata":
        return {"permata_va_number": number}
    return {"va_numbers": [{"bank": method.bank, "va_number": number}]}


def _card_fields(card: Card) -> dict[str, Any]:
    fields = {
        "masked_card": card.masked,
        "bank": "bca",
        "card_type": "credit",
        "channel_response_code": card.response_code,
        "channel_response_message": card.response_message,
        "three_ds_version": "2",
        "eci": "05",
        "card_outcome": card.outcome,
    }
    return fields | {"approval_code": card.number[-6:]} if card.outcome == "accept" else fields
