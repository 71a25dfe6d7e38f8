"""The gateway's wording of a transaction: status answer, notification, browser result. Pure.

Every value is a string, absent values are left out, times are Jakarta wall clock without a zone.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .clock import wib
from .records import Order, Transaction
from .settings import Settings
from .states import UNPAID, notification_code, status_api_code

NOTIFICATION_TEXT = "midtrans payment notification"


def money(amount: int) -> str:
    return f"{amount}.00"


def sign(order_id: str, status_code: str, gross_amount: str, server_key: str) -> str:
    """SHA-512 over the four strings exactly as they stand in the message, as lower-case hex."""
    return hashlib.sha512(f"{order_id}{status_code}{gross_amount}{server_key}".encode()).hexdigest()


def sign_message(message: dict[str, Any], server_key: str) -> str:
    """The signature over a message's own fields, whatever their types have become."""
    order_id, code, amount = (str(message.get(name)) for name in ("order_id", "status_code", "gross_amount"))
    return sign(order_id, code, amount, server_key)


def status_answer(order: Order, transaction: Transaction, settings: Settings) -> dict[str, Any]:
    code = status_api_code(transaction.status, transaction.fraud_status)
    answer = {"status_code": code, "status_message": "Success, transaction is found"}
    return _signed(answer | _facts(order, transaction, settings), settings)


def notification(order: Order, transaction: Transaction, settings: Settings) -> dict[str, Any]:
    code = notification_code(transaction.status, transaction.fraud_status)
    message = {"status_code": code, "status_message": NOTIFICATION_TEXT}
    return _signed(message | _facts(order, transaction, settings), settings)


def browser_result(order: Order, transaction: Transaction, finish_url: str) -> dict[str, Any]:
    """What the page's callbacks receive. Never signed; BCA's pending result has no order_id, as in life."""
    code = notification_code(transaction.status, transaction.fraud_status)
    if transaction.method_code == "bca_va" and transaction.status == "pending":
        return {
            "status_code": code,
            "payment_type": transaction.payment_type,
            "transaction_status": transaction.status,
            "bca_va_number": transaction.shown["va_numbers"][0]["va_number"],
            "finish_redirect_url": finish_url,
        }
    return {
        "status_code": code,
        "status_message": _browser_text(transaction),
        "transaction_id": transaction.transaction_id,
        "order_id": order.order_id,
        "gross_amount": money(transaction.amount),
        "payment_type": transaction.payment_type,
        "transaction_time": wib(transaction.created_at),
        "transaction_status": transaction.status,
        "fraud_status": transaction.fraud_status or "accept",
        **{k: v for k, v in transaction.shown.items() if k not in PAGE_ONLY},
        "finish_redirect_url": finish_url,
    }


# Facts the page needs and the messages never carry.
PAGE_ONLY = frozenset({"qr_string", "card_outcome", "promo"})


def _browser_text(transaction: Transaction) -> str:
    if transaction.status in UNPAID:
        return "Payment was denied or has ended"
    if transaction.status == "pending":
        return "Transaction is in progress"
    return "Success, transaction is found"


def _facts(order: Order, transaction: Transaction, settings: Settings) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "transaction_time": wib(transaction.created_at),
        "transaction_status": transaction.status,
        "transaction_id": transaction.transaction_id,
        "payment_type": transaction.payment_type,
        "order_id": order.order_id,
        "merchant_id": settings.merchant_id,
        "gross_amount": money(transaction.amount),
        "currency": "IDR",
        "fraud_status": _fraud_status(transaction),
        "settlement_time": wib(transaction.settled_at) if transaction.settled_at else None,
        "expiry_time": wib(transaction.expires_at),
        "payment_amounts": [] if transaction.shown.get("va_numbers") else None,
        **{k: v for k, v in transaction.shown.items() if k not in PAGE_ONLY},
        **order.custom_fields,
        **_refunds(transaction),
    }
    if promo := transaction.shown.get("promo"):
        facts["promo_details"] = promo
    if settings.extra_fields:
        facts |= {"pop_id": "sandbox", "metadata": {"source": "sandbox"}}
    return {name: value for name, value in facts.items() if value is not None}


def _fraud_status(transaction: Transaction) -> str | None:
    return None if transaction.method_code == "indomaret" else transaction.fraud_status or "accept"


def _refunds(transaction: Transaction) -> dict[str, Any]:
    if not transaction.refunds and not transaction.chargebacks:
        return {}
    taken_back = transaction.refunded + sum(c["amount"] for c in transaction.chargebacks)
    shown = [
        {k: money(v) if k == "amount" else v for k, v in refund.items() if v is not None}
        for refund in transaction.refunds
    ]
    for refund in shown:
        refund["refund_amount"] = refund.pop("amount")
    return {"refund_amount": money(taken_back)} | ({"refunds": shown} if shown else {})


def _signed(message: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return message | {"signature_key": sign_message(message, settings.server_key)}
