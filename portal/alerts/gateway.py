"""The one wrapper of the operator's webhook: signed JSON, time-outs, no redirects.

Its address is the operator's own setting, never a customer's word, and usually a relay inside the operator's network:
private addresses are therefore allowed. Nothing of its answer is kept but the status.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import requests

from config import settings
from portal.alerts.errors import WebhookAway, WebhookRefused
from portal.core.db import assert_outside_transaction

TIMEOUT_S = (3.05, 5.0)
SIGNATURE_HEADER = "X-MinisPod-Signature"


def post(facts: dict[str, Any], *, now: datetime) -> None:
    """Posts one telling; returns when it was taken. Raises `WebhookAway` for what may pass, else `WebhookRefused`."""
    assert_outside_transaction()
    body = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature(body, at=int(now.timestamp()))}
    try:
        with requests.post(
            settings().alert_webhook_url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False,
            stream=True,
        ) as answer:  # fmt: skip
            status = answer.status_code
    except requests.RequestException as error:
        raise WebhookAway(reason=type(error).__name__) from None
    if status in (408, 425, 429) or status >= 500:
        raise WebhookAway(reason=f"HTTP {status}")
    if not 200 <= status < 300:
        raise WebhookRefused(reason=f"HTTP {status}")


def signature(body: bytes, *, at: int) -> str:
    """`t=<unix time>,v1=<hex>`: HMAC-SHA256 of the time, a dot and the body. The time tells a replay by its age."""
    secret = settings().alert_webhook_secret.get_secret_value().encode()
    return f"t={at},v1={hmac.new(secret, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
