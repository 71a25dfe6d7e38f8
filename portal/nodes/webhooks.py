"""Heartbeats of the agents on the nodes: proved, noted and answered at once. Never 5xx on bad input."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, current_app, jsonify, request
from redis.exceptions import RedisError
from werkzeug.exceptions import RequestEntityTooLarge

from config import settings
from portal import csrf
from portal.core import clock
from portal.core.db import transaction
from portal.core.errors import PortalError, TooManyRequests
from portal.nodes import actions, heartbeats
from portal.nodes.errors import BadSignature, MalformedHeartbeat, NoAgents
from portal.nodes.heartbeats import BODY_BYTES_MAX
from portal.web.guards import gateway

log = structlog.get_logger()
blueprint = Blueprint("nodes", __name__)

BAD_SIGNATURES_PER_MINUTE_MAX = 30


class TooLarge(PortalError):
    status = 413
    code = "TOO_LARGE"
    message = "too large"


@blueprint.post("/heartbeat")
@csrf.exempt
@gateway
def heartbeat() -> Any:
    """One report of one node. A forged one is refused and, beyond a few a minute, not even looked at."""
    token = settings().node_agent_token.get_secret_value()
    if not token:
        raise NoAgents
    body, now = _body(), clock.now()
    try:
        sent_at = heartbeats.verify(
            body, timestamp=request.headers.get("X-Timestamp", ""), token=token, now=now,
            signature=request.headers.get("X-Signature", ""),
        )  # fmt: skip
        beat = heartbeats.parse(body)
    except PortalError as error:
        log.warning("heartbeat.refused", code=error.code, address=request.remote_addr)
        if isinstance(error, BadSignature):
            _count_bad_signature()
        raise
    with transaction() as session:
        noted = actions.note_heartbeat(session, beat, sent_at=sent_at, now=now)
    return jsonify(status="noted" if noted else "ignored")


def _body() -> bytes:
    """The raw body, kept for a second run of this view after a lost lock; larger ones are refused unread."""
    request.max_content_length = BODY_BYTES_MAX
    try:
        body = request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise TooLarge from None
    if not body:
        raise MalformedHeartbeat
    return body


def _count_bad_signature() -> None:
    """Only bad signatures are limited: a cluster's good heartbeats may all come from one address."""
    redis = current_app.extensions["redis"]
    key = f"bad-heartbeat:{request.remote_addr}:{int(clock.now().timestamp() // 60)}"
    try:
        count = redis.incr(key)
        redis.expire(key, 120)
    except RedisError:
        return  # counting is a courtesy, refusing is not
    if count > BAD_SIGNATURES_PER_MINUTE_MAX:
        raise TooManyRequests
