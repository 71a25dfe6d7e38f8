"""How a true notification is spoiled: each message fault as a small function on the message. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .faults import Fault
from .messages import sign_message

OTHER_KEY = "SB-Mid-server-somebody-else"
OTHER_MERCHANT = "G999999999"
HUGE_BYTES = 2 * 1024 * 1024
Message = dict[str, Any]


@dataclass
class Wire:
    """Bytes as they leave the gateway."""

    body: bytes
    method: str = "POST"
    content_type: str = "application/json"


def disguise(message: Message, faults: list[Fault], server_key: str) -> Wire:
    """The message on the wire after every given message fault has had its turn."""
    for fault in faults:
        if fault.mode != "malformed":
            message = _FORGERIES[fault.mode](message, fault.params, server_key)
    wire = Wire(json.dumps(message).encode())
    for fault in faults:
        if fault.mode == "malformed":
            wire = _MALFORMED[fault.params.get("kind", "truncated")](message, wire)
    return wire


def near_copy(wire: Wire, number: int) -> Wire:
    """The same event in other bytes: keys turned round, other white space, one more unknown field."""
    try:
        message = json.loads(wire.body)
    except ValueError:
        return wire
    turned = dict(reversed(list(message.items()))) | {f"extra_{number}": number}
    return Wire(json.dumps(turned, indent=number % 4 + 1).encode(), wire.method, wire.content_type)


def _signed(message: Message, server_key: str) -> Message:
    return message | {"signature_key": sign_message(message, server_key)}


def _with_signature(change: Callable[[str], Any]) -> Callable[[Message, dict[str, Any], str], Message]:
    return lambda message, params, key: message | {"signature_key": change(message["signature_key"])}


def _signature_absent(message: Message, params: dict[str, Any], server_key: str) -> Message:
    return {name: value for name, value in message.items() if name != "signature_key"}


def _replay_tamper(message: Message, params: dict[str, Any], server_key: str) -> Message:
    flipped = "refund" if message["transaction_status"] == "settlement" else "settlement"
    return message | params.get("set", {"transaction_status": flipped})


def _lying(message: Message, params: dict[str, Any], server_key: str) -> Message:
    changed = {"transaction_status": params.get("status", "settlement"), "status_code": "200"}
    return _signed(message | changed, server_key)


_FORGERIES: dict[str, Callable[[Message, dict[str, Any], str], Message]] = {
    "wrong_signature": _with_signature(lambda true: "0" * len(true)),
    "signature_null": _with_signature(lambda true: None),
    "signature_number": _with_signature(lambda true: 42),
    "signature_list": _with_signature(lambda true: [true]),
    "signature_upper": _with_signature(str.upper),
    "signature_absent": _signature_absent,
    "other_key": lambda message, params, key: _signed(message, OTHER_KEY),
    "replay_tamper": _replay_tamper,
    "cross_env": lambda message, params, key: _signed(message | {"merchant_id": OTHER_MERCHANT}, OTHER_KEY),
    "other_merchant": lambda message, params, key: _signed(message | {"merchant_id": OTHER_MERCHANT}, key),
    "amount_drift": lambda message, params, key: _signed(message | {"gross_amount": params.get("value", "1.00")}, key),
    "lying_webhook": _lying,
    "case_drift": lambda message, params, key: message | {"transaction_status": message["transaction_status"].upper()},
    "rewrite": lambda message, params, key: _signed(message | params.get("set", {}), key),
}

_MALFORMED: dict[str, Callable[[Message, Wire], Wire]] = {
    "empty": lambda message, wire: Wire(b""),
    "get": lambda message, wire: Wire(b"", method="GET"),
    "form": lambda message, wire: Wire(
        urlencode({k: str(v) for k, v in message.items()}).encode(),
        content_type="application/x-www-form-urlencoded",
    ),
    "truncated": lambda message, wire: Wire(wire.body[: len(wire.body) // 2]),
    "huge": lambda message, wire: Wire(json.dumps(message | {"padding": "x" * HUGE_BYTES}).encode()),
    "deep": lambda message, wire: Wire(b'{"order_id":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "nan": lambda message, wire: Wire(json.dumps(message | {"gross_amount": float("nan")}).encode()),
    "bom": lambda message, wire: Wire(b"\xef\xbb\xbf" + wire.body),
    "latin1": lambda message, wire: Wire(wire.body[:-1] + ', "note": "caf\xe9"}'.encode("latin-1")),
    "duplicate_keys": lambda message, wire: Wire(b'{"order_id": "somebody-else", ' + wire.body[1:]),
    "nul": lambda message, wire: Wire(json.dumps(message | {"order_id": message["order_id"] + "\x00"}).encode()),
}
MALFORMED_KINDS = tuple(_MALFORMED)
