"""Words for tests of the webhook: post one notification, look at what it left behind."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import sqlalchemy as sa
from flask import Flask

from portal.core.db import db
from portal.core.outbox import OutboxMessage
from portal.payments.models import GatewayEvent

ADDRESS = "/webhooks/midtrans"
QUICK_S = 2.0


def post(app: Flask, body: bytes, **options: Any) -> tuple[int, dict[str, Any]]:
    """One notification as the gateway sends it; never 5xx, never slow."""
    began = time.monotonic()
    facts = {"content_type": "application/json", "headers": {"User-Agent": "Veritrans"}} | options
    answer = app.test_client().open(ADDRESS, method=facts.pop("method", "POST"), data=body, **facts)
    assert time.monotonic() - began < QUICK_S
    assert answer.status_code < 500, answer.get_data(as_text=True)
    return answer.status_code, answer.get_json()


def stored() -> int:
    db.session.close()
    return db.session().scalar(sa.select(sa.func.count()).select_from(GatewayEvent)) or 0


def queued() -> int:
    db.session.close()
    statement = sa.select(sa.func.count()).where(OutboxMessage.name == "payments.process_notification")
    return db.session().scalar(statement) or 0


def signed(message: dict[str, Any], key: str) -> bytes:
    """The message with a signature over its fields as they stand."""
    text = "".join(str(message.get(name)) for name in ("order_id", "status_code", "gross_amount"))
    return json.dumps(message | {"signature_key": hashlib.sha512((text + key).encode()).hexdigest()}).encode()
