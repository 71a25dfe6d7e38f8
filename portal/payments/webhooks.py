"""Notifications from gateways: verified, stored, queued and answered within milliseconds. Never 5xx on bad input."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, jsonify, request

from portal import csrf
from portal.core import clock
from portal.core.db import transaction
from portal.payments import notifications
from portal.payments.errors import BadSignature, MalformedNotification
from portal.payments.registry import gateway_named
from portal.web import deliveries
from portal.web.guards import gateway

log = structlog.get_logger()
blueprint = Blueprint("webhooks", __name__)

BODY_BYTES_MAX = 64 * 1024
HEADERS_KEPT = ("User-Agent", "Content-Type", "Content-Length", "X-Forwarded-For", "Date", "X-Request-Id")


@blueprint.post("/midtrans")
@csrf.exempt
@gateway
def midtrans() -> Any:
    """A Midtrans HTTP notification. A forged one is refused and, beyond a few a minute, not even looked at."""
    body = deliveries.raw_body(bytes_max=BODY_BYTES_MAX)
    if not body:
        raise MalformedNotification
    try:
        notification = gateway_named("midtrans").parse_notification(body)
    except (BadSignature, MalformedNotification) as error:
        log.warning("webhook.refused", code=error.code, address=request.remote_addr)
        if isinstance(error, BadSignature):
            deliveries.count_bad_signature("signature")
        raise
    with transaction() as session:
        verdict = notifications.receive(
            session, "midtrans", body, notification, now=clock.now(), headers=_kept_headers()
        )
    return jsonify(status=verdict if verdict == "queued" else "ignored")


def _kept_headers() -> dict[str, str]:
    """What tells where a notification came from. Anything else may hold what is nobody's business."""
    kept = {name: value for name in HEADERS_KEPT if (value := request.headers.get(name)) is not None}
    return {**kept, "Remote-Address": request.remote_addr or ""}
