"""What the gateway accepts as a create-transaction request. Pure.

Source: docs.midtrans.com, "Snap request body (JSON parameter)" and "JSON objects".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

ORDER_ID = re.compile(r"[A-Za-z0-9\-_~.]{1,50}\Z")
UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
EXPIRY_MIN_S = 20
PAGE_EXPIRY_MIN_S = 5 * 60
EXPIRY_MAX_S = 7 * 86400
PAGE_EXPIRY_DEFAULT_S = 86400
START_TIME_FORMAT = "%Y-%m-%d %H:%M:%S %z"
VA_NUMBER_DIGITS = {
    "bca_va": (6, 11), "bni_va": (1, 8), "bri_va": (1, 13), "cimb_va": (1, 12), "danamon_va": (1, 12),
    "bsi_va": (1, 12), "seabank_va": (1, 19), "permata_va": (10, 10),
}  # fmt: skip
NAME_MAX = {"first_name": 255, "last_name": 255, "email": 255, "phone": 255}
ITEM_MAX = {"id": 50, "name": 50, "brand": 50, "category": 50, "merchant_name": 50}


def problems(body: Any) -> list[str]:
    """Every reason to answer 400, in the vendor's wording where known; empty means acceptable."""
    if not isinstance(body, dict) or not isinstance(body.get("transaction_details"), dict):
        return [
            "transaction_details.gross_amount is required",
            "transaction_details.order_id is required",
        ]
    found = [text for check in _CHECKS for text in check(body)]
    return found + _expiry(body, "expiry", EXPIRY_MIN_S) + _expiry(body, "page_expiry", PAGE_EXPIRY_MIN_S)


def expiry_window(expiry: dict[str, Any], *, now: datetime) -> datetime:
    """The moment an accepted expiry object ends; without start_time it counts from `now`."""
    start = expiry.get("start_time")
    begins = _moment(start) if start else now
    return begins + timedelta(seconds=_duration_s(expiry) or 0)


def page_expires_at(body: dict[str, Any], *, now: datetime) -> datetime:
    """When the token dies: page_expiry before expiry before the default of a day."""
    for name in ("page_expiry", "expiry"):
        if body.get(name):
            return expiry_window(body[name], now=now)
    return now + timedelta(seconds=PAGE_EXPIRY_DEFAULT_S)


def _order_id(body: dict[str, Any]) -> list[str]:
    order_id = body["transaction_details"].get("order_id")
    if not order_id:
        return ["transaction_details.order_id is required"]
    if not isinstance(order_id, str) or len(order_id) > 50:
        return ["transaction_details.order_id too long"]
    if not ORDER_ID.match(order_id):
        return ["transaction_details.order_id contains unallowed characters"]
    return []


def _gross_amount(body: dict[str, Any]) -> list[str]:
    amount = body["transaction_details"].get("gross_amount")
    if amount is None:
        return ["transaction_details.gross_amount is required"]
    if isinstance(amount, bool) or not isinstance(amount, int):
        return ["transaction_details.gross_amount must be an integer"]
    return [] if amount >= 1 else ["transaction_details.gross_amount must be greater than or equal to 1"]


def _items(body: dict[str, Any]) -> list[str]:
    items = body.get("item_details")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return ["item_details must be a list"]
    found = [text for index, item in enumerate(items) for text in _item(index, item)]
    if found or not isinstance(body["transaction_details"].get("gross_amount"), int):
        return found
    total = sum(item["price"] * item["quantity"] for item in items)
    equal = total == body["transaction_details"]["gross_amount"]
    return [] if equal else ["transaction_details.gross_amount is not equal to the sum of item_details"]


def _item(index: int, item: dict[str, Any]) -> list[str]:
    where = f"item_details[{index}]"
    missing = [name for name in ("name", "price", "quantity") if item.get(name) is None]
    odd = [name for name in ("price", "quantity") if name in item and type(item[name]) is not int]
    found = [f"{where}.{name} is required" for name in missing]
    found += [f"{where}.{name} must be an integer" for name in odd]
    if isinstance(item.get("quantity"), int) and item["quantity"] < 1:
        found.append(f"{where}.quantity must be greater than or equal to 1")
    return found + _too_long(item, where, ITEM_MAX)


def _customer(body: dict[str, Any]) -> list[str]:
    customer = body.get("customer_details")
    if customer is None:
        return []
    if not isinstance(customer, dict):
        return ["customer_details must be an object"]
    found = _too_long(customer, "customer_details", NAME_MAX)
    email = customer.get("email")
    if email and (not isinstance(email, str) or "@" not in email):
        found.append("customer_details.email format is invalid")
    return found


def _enabled_payments(body: dict[str, Any]) -> list[str]:
    names = body.get("enabled_payments")
    if names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return []
    return ["enabled_payments must be a list of strings"]


def _va_numbers(body: dict[str, Any]) -> list[str]:
    found = []
    for name, (low, high) in VA_NUMBER_DIGITS.items():
        wanted = body.get(name, {}).get("va_number") if isinstance(body.get(name), dict) else None
        if wanted is not None and not (str(wanted).isdigit() and low <= len(str(wanted)) <= high):
            found.append(f"{name}.va_number must be {low} to {high} digits")
    return found


def _callbacks(body: dict[str, Any]) -> list[str]:
    callbacks = body.get("callbacks")
    if callbacks is None:
        return []
    if not isinstance(callbacks, dict):
        return ["callbacks must be an object"]
    found = _too_long(callbacks, "callbacks", {"finish": 255, "error": 255})
    for name in ("finish", "error"):
        if callbacks.get(name) and not str(callbacks[name]).startswith(("http://", "https://")):
            found.append(f"callbacks.{name} must be a URL")
    return found


def _custom(body: dict[str, Any]) -> list[str]:
    return _too_long(body, "", {f"custom_field{n}": 255 for n in (1, 2, 3)})


def _too_long(values: dict[str, Any], where: str, limits: dict[str, int]) -> list[str]:
    prefix = f"{where}." if where else ""
    over = [name for name, limit in limits.items() if len(str(values.get(name) or "")) > limit]
    return [f"{prefix}{name} too long" for name in over]


def _expiry(body: dict[str, Any], name: str, least_s: int) -> list[str]:
    expiry = body.get(name)
    if expiry is None:
        return []
    duration_s = _duration_s(expiry) if isinstance(expiry, dict) else None
    if duration_s is None:
        return [f"{name}.duration and {name}.unit are required"]
    found = [] if least_s <= duration_s <= EXPIRY_MAX_S else [f"{name}.duration is out of range"]
    try:
        _moment(expiry.get("start_time") or "2026-01-01 00:00:00 +0700")
    except (TypeError, ValueError):
        found.append(f"{name}.start_time format must be yyyy-MM-dd hh:mm:ss Z")
    return found


_CHECKS = (_order_id, _gross_amount, _items, _customer, _enabled_payments, _va_numbers, _callbacks, _custom)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, START_TIME_FORMAT)  # noqa: DTZ007 (the format ends in %z)


def _duration_s(expiry: dict[str, Any]) -> int | None:
    unit, duration = str(expiry.get("unit", "")).rstrip("s"), expiry.get("duration")
    if unit not in UNIT_S or isinstance(duration, bool) or not isinstance(duration, int):
        return None
    return duration * UNIT_S[unit]
