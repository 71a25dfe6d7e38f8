"""Notifications from gateways: verified, stored, queued and answered within milliseconds. Never 5xx on bad input."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, current_app, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from portal import csrf
from portal.core import clock
from portal.core.db import transaction
from portal.core.errors import PortalError, TooManyRequests
from portal.payments import notifications
from portal.payments.errors import BadSignature, MalformedNotification
from portal.payments.registry import gateway_named
from portal.web.guards import gateway

log = structlog.get_logger()
blueprint = Blueprint("webhooks", __name__)

BODY_BYTES_MAX = 64 * 1024
BAD_SIGNATURES_PER_MINUTE_MAX = 30
HEADERS_KEPT = ("User-Agent", "Content-Type", "Content-Length", "X-Forwarded-For", "Date", "X-Request-Id")


class TooLarge(PortalError):
    status = 413
    code = "TOO_LARGE"
    message = "too large"


@blueprint.post("/midtrans")
@csrf.exempt
@gateway
def midtrans() -> Any:
    """A Midtrans HTTP notification. A forged one is refused and, beyond a few a minute, not even looked at."""
    body = _body()
    try:
        notification = gateway_named("midtrans").parse_notification(body)
    except (BadSignature, MalformedNotification) as error:
        log.warning("webhook.refused", code=error.code, address=request.remote_addr)
        if isinstance(error, BadSignature):
            _count_bad_signature()
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


def _body() -> bytes:
    """The raw body, kept for a second run of this view after a lost lock; larger ones are refused unread."""
    request.max_content_length = BODY_BYTES_MAX
    try:
        body = request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise TooLarge from None
    if not body:
        raise MalformedNotification
    return body


def _count_bad_signature() -> None:
    """Only bad signatures are limited: a burst of good notifications must never be turned away."""
    redis = current_app.extensions["redis"]
    key = f"bad-signature:{request.remote_addr}:{int(clock.now().timestamp() // 60)}"
    try:
        count = redis.incr(key)
        redis.expire(key, 120)
    except Exception:  # noqa: BLE001 - counting is a courtesy, refusing is not
        return
    if count > BAD_SIGNATURES_PER_MINUTE_MAX:
        raise TooManyRequests
