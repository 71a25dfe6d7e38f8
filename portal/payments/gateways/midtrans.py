"""Midtrans through its own client library, wrapped: time-outs, no redirects, safe ids, typed errors.

The library passes no time-out, follows redirects, joins ids into paths unescaped and puts whole response bodies into
its exceptions. Each of that is mended here, once.
Source: docs.midtrans.com (Snap, Core API, HTTP notification pages), midtransclient 1.4.2.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any

import certifi
import midtransclient
import requests
import structlog
from midtransclient.config import ApiConfig
from midtransclient.error_midtrans import MidtransAPIError

from config import Settings
from portal.core import pulse
from portal.core.clock import JAKARTA
from portal.core.db import assert_outside_transaction
from portal.core.money import IDR, Money, parse_gateway_amount
from portal.payments.errors import (
    BadSignature,
    GatewayRefused,
    GatewayUnavailable,
    MalformedNotification,
    OrderTaken,
    UnreadableAnswer,
)
from portal.payments.gateways import Answer, Checkout, Notification, Order

log = structlog.get_logger()

SAFE_ID = re.compile(r"[A-Za-z0-9._~-]{1,50}")
SIGNED_FIELDS = ("order_id", "status_code", "gross_amount", "signature_key")
TEST_PING = "payment_notif_test_"
CONNECT_TIMEOUT_S = 3.05
JSON_DEPTH_MAX = 20
UNKNOWN_ORDER = "404"  # no method was chosen in the popup yet: the common answer about an order nobody paid
REFUND_KNOWN = "406"  # asked for under this key before
DENIED = "202"  # understood, and the bank says no
REASON_MAX = 100
# How a Snap method is named in `enabled_payments`. Source: Midtrans request-body-json-parameter.
ENABLED_PAYMENTS = {"qris": "other_qris"}


class Midtrans:
    """The gateway, for one set of keys."""

    name = "midtrans"

    def __init__(self, settings: Settings) -> None:
        self._server_key = settings.midtrans_server_key.get_secret_value()
        self._merchant_id = settings.midtrans_merchant_id
        keys = {
            "is_production": settings.midtrans_is_production,
            "server_key": self._server_key,
            "client_key": settings.midtrans_client_key,
            "custom_headers": {},
            "proxies": {},
        }
        session = _TimedSession(settings.midtrans_timeout_s)
        self._snap = midtransclient.Snap(**keys)
        self._core = midtransclient.CoreApi(**keys)
        for api in (self._snap, self._core):
            api.api_config = _Addresses(settings, **keys)
            api.http_client.http_client = session

    def create(self, order: Order) -> Checkout:
        assert_outside_transaction()
        answer = self._call(lambda: self._snap.create_transaction(_snap_request(order)))
        token, url = answer.get("token"), answer.get("redirect_url")
        if not isinstance(token, str) or not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise UnreadableAnswer(reason="no token")
        return Checkout(token, url)

    def fetch_status(self, reference: str) -> Answer | None:
        assert_outside_transaction()
        try:
            answer = self._call(lambda: self._core.transactions.status(_safe(reference)))
        except GatewayRefused as error:
            if error.details.get("gateway_code") == UNKNOWN_ORDER:
                return None
            raise
        return self._read(answer)

    def refund(self, transaction_id: str, amount: Money, *, key: str, reason: str) -> None:
        assert_outside_transaction()
        wanted = {"refund_key": _safe(key), "amount": amount.amount, "reason": reason[:REASON_MAX]}
        try:
            answer = self._call(lambda: self._core.transactions.refund(_safe(transaction_id), wanted))
        except GatewayRefused as error:
            if error.details.get("gateway_code") == REFUND_KNOWN:
                return
            raise
        if str(answer.get("status_code")) == DENIED:
            raise GatewayRefused(gateway_code=DENIED)

    def cancel(self, reference: str) -> None:
        assert_outside_transaction()
        try:
            self._call(lambda: self._core.transactions.cancel(_safe(reference)))
        except GatewayRefused as error:
            log.info("midtrans.cancel_refused", order_id=reference, gateway_code=error.details.get("gateway_code"))

    def parse_notification(self, body: bytes) -> Notification:
        message = _json_object(body)
        order_id, status_code, gross_amount, signature = (message.get(name) for name in SIGNED_FIELDS)
        for value in (order_id, status_code, gross_amount, signature):
            if not isinstance(value, str) or len(value) > 200 or not value.isprintable() or not value.isascii():
                raise MalformedNotification
        assert isinstance(order_id, str)
        if not self._signed(f"{order_id}{status_code}{gross_amount}", str(signature)):
            raise BadSignature
        transaction_id = message.get("transaction_id")
        if not isinstance(transaction_id, str) or not SAFE_ID.fullmatch(transaction_id):
            transaction_id = None
        return Notification(
            order_id=order_id,
            transaction_id=transaction_id,
            status=str(message.get("transaction_status", ""))[:30].lower(),
            is_test_ping=order_id.startswith(TEST_PING),
        )

    def _signed(self, text: str, signature: str) -> bool:
        wanted = hashlib.sha512((text + self._server_key).encode()).hexdigest()
        return hmac.compare_digest(wanted.encode(), signature.encode())

    def _read(self, answer: dict[str, Any]) -> Answer:
        """The library's dictionary as our shape; raises `UnreadableAnswer` when the core fields are not there."""
        order_id, transaction_id = answer.get("order_id"), answer.get("transaction_id")
        status = answer.get("transaction_status")
        if not all(isinstance(value, str) and value for value in (order_id, transaction_id, status)):
            raise UnreadableAnswer(reason="core fields missing")
        merchant_id = answer.get("merchant_id")
        if self._merchant_id and merchant_id and merchant_id != self._merchant_id:
            raise GatewayRefused(gateway_code="other_merchant")
        gross = answer.get("gross_amount")
        return Answer(
            order_id=str(order_id),
            transaction_id=str(transaction_id)[:64],
            status=str(status).lower()[:30],
            fraud_status=_lower(answer.get("fraud_status")),
            payment_type=str(answer.get("payment_type", ""))[:40],
            amount=_amount(gross, answer.get("currency", IDR)),
            amount_text=str(gross)[:40],
            taken_back=_taken_back(answer),
            merchant_id=merchant_id if isinstance(merchant_id, str) else None,
            settled_at=_gateway_time(answer.get("settlement_time")),
            instructions=_instructions(answer),
        )

    def _call(self, call: Any) -> dict[str, Any]:
        """Runs one library call, counted by whether it got an answer."""
        try:
            answer = self._typed_call(call)
        except GatewayUnavailable:
            pulse.note("gateway", answered=False)
            raise
        except GatewayRefused:
            pulse.note("gateway", answered=True)
            raise
        pulse.note("gateway", answered=True)
        return answer

    def _typed_call(self, call: Any) -> dict[str, Any]:
        """The same; every failure becomes a typed error without the response's text."""
        try:
            answer = call()
        except MidtransAPIError as error:
            raise _typed(error) from None
        except requests.RequestException as error:
            raise GatewayUnavailable(reason=type(error).__name__) from None
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise UnreadableAnswer(reason=type(error).__name__) from None
        except Exception as error:
            if type(error).__name__ == "JSONDecodeError":  # the library has two classes of that name
                raise UnreadableAnswer(reason="not JSON") from None
            raise
        if not isinstance(answer, dict):
            raise UnreadableAnswer(reason="not an object")
        return answer


class _Addresses(ApiConfig):
    """The library's addresses, or the sandbox stand-in's."""

    def __init__(self, settings: Settings, **keys: Any) -> None:
        super().__init__(**keys)
        self._core_url, self._snap_url = settings.midtrans_core_url, settings.midtrans_snap_url

    def get_core_api_base_url(self) -> str:
        return self._core_url or super().get_core_api_base_url()

    def get_snap_base_url(self) -> str:
        return self._snap_url or super().get_snap_base_url()


class _TimedSession(requests.Session):
    """A connection pool that never waits for ever, never follows a redirect and trusts no environment proxy."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        self.trust_env = False
        self.verify = certifi.where()

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", self._timeout)
        options["allow_redirects"] = False
        return super().request(method, url, **options)


def snap_js_url(settings: Settings) -> str:
    """Where the popup's script is."""
    host = "app" if settings.midtrans_is_production else "app.sandbox"
    return settings.midtrans_snap_js_url or f"https://{host}.midtrans.com/snap/snap.js"


def api_url(settings: Settings) -> str:
    """Where the popup's script talks to."""
    host = "api" if settings.midtrans_is_production else "api.sandbox"
    return settings.midtrans_core_url or f"https://{host}.midtrans.com"


def _snap_request(order: Order) -> dict[str, Any]:
    """The create-transaction body. Expiry counts from `start_time`, so that our hours are the gateway's."""
    minutes = max(5, int((order.expires_at - order.starts_at).total_seconds() // 60))
    start = order.starts_at.astimezone(JAKARTA)
    return {
        "transaction_details": {"order_id": _safe(order.order_id), "gross_amount": order.amount.amount},
        "item_details": [{"id": "top-up", "name": order.description[:50], "price": order.amount.amount, "quantity": 1}],
        "customer_details": {"first_name": order.customer_name[:255], "email": order.customer_email[:255]},
        "enabled_payments": [ENABLED_PAYMENTS.get(order.method, order.method)],
        "credit_card": {"secure": True},
        "callbacks": {"finish": order.return_url, "error": order.return_url},
        "expiry": {"start_time": start.strftime("%Y-%m-%d %H:%M:%S +0700"), "unit": "minute", "duration": minutes},
        "page_expiry": {"unit": "minute", "duration": minutes},
    }


def _safe(reference: str) -> str:
    if not SAFE_ID.fullmatch(reference) or reference in (".", ".."):
        raise GatewayRefused(gateway_code="unsafe_id")
    return reference


def _typed(error: MidtransAPIError) -> GatewayRefused | GatewayUnavailable:
    """The library's error by its code: 5xx and 429 pass, the rest is a refusal."""
    body = error.api_response_dict if isinstance(error.api_response_dict, dict) else {}
    code = str(body.get("status_code") or error.http_status_code or "")
    if code.startswith("5") or code in ("429", ""):
        return GatewayUnavailable(gateway_code=code)
    if error.http_status_code and int(error.http_status_code) >= 500:
        return GatewayUnavailable(gateway_code=str(error.http_status_code))
    messages = body.get("error_messages")
    text = " ".join(str(m) for m in messages) if isinstance(messages, list) else str(messages or "")
    if "order_id" in text and any(word in text for word in ("taken", "digunakan", "utilized")):
        return OrderTaken(gateway_code=code)
    if code != UNKNOWN_ORDER:
        log.warning("midtrans.refused", gateway_code=code, reason=text[:200])
    return GatewayRefused(gateway_code=code)


def _json_object(body: bytes) -> dict[str, Any]:
    """The notification's JSON object; hostile shapes (deep, huge numbers, not UTF-8) are malformed, not errors."""
    if body.count(b"[") + body.count(b"{") > 200:
        raise MalformedNotification
    try:
        message = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedNotification from None
    if not isinstance(message, dict):
        raise MalformedNotification
    return message


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _lower(value: Any) -> str | None:
    return value.lower()[:20] if isinstance(value, str) else None


def _amount(text: Any, currency: Any) -> Any:
    if not isinstance(currency, str) or len(currency) != 3:
        return None
    try:
        return parse_gateway_amount(text, currency.upper())
    except ValueError:
        return None


def _taken_back(answer: dict[str, Any]) -> int:
    """The cumulative figure, whichever name it has; a whole refund or chargeback takes everything, whatever its figure:
    that may be of the last part alone, of an earlier refund, or zero.
    """
    status = str(answer.get("transaction_status", "")).lower()
    names = ("refund_amount", "chargeback_amount", *(["gross_amount"] if status in ("refund", "chargeback") else []))
    read = {name: _amount(answer.get(name), IDR) for name in names}
    figures = {name: amount.amount for name, amount in read.items() if amount is not None and amount.amount}
    if status == "partial_chargeback" and len(figures) > 1:  # the sum of both, or one said twice: a person must look
        log.error("midtrans.two_figures", order_id=answer.get("order_id"), **figures)
    return max(figures.values(), default=0)


def _gateway_time(text: Any) -> datetime | None:
    """`2026-11-21 18:11:08`, which means GMT+7."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=JAKARTA)
    except ValueError:
        return None


def _instructions(answer: dict[str, Any]) -> dict[str, Any]:
    """What the customer needs to pay outside the popup: VA number, bill key, payment code."""
    found: dict[str, Any] = {}
    numbers = answer.get("va_numbers")
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], dict):
        found["bank"] = str(numbers[0].get("bank", ""))[:20]
        found["va_number"] = str(numbers[0].get("va_number", ""))[:40]
    if answer.get("permata_va_number"):
        found["bank"], found["va_number"] = "permata", str(answer["permata_va_number"])[:40]
    for name in ("biller_code", "bill_key", "payment_code", "store", "issuer", "acquirer"):
        if isinstance(answer.get(name), str):
            found[name] = answer[name][:40]
    expiry = _gateway_time(answer.get("expiry_time"))
    if expiry is not None:
        found["expires_at"] = expiry.isoformat()
    return found
