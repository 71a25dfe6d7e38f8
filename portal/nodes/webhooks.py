"""Heartbeats of the agents on the nodes: proved, noted and answered at once. Never 5xx on bad input."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, jsonify, request

from config import settings
from portal import csrf
from portal.core import clock
from portal.core.db import transaction
from portal.core.errors import PortalError
from portal.nodes import actions, heartbeats
from portal.nodes.errors import BadSignature, MalformedHeartbeat, NoAgents
from portal.nodes.heartbeats import BODY_BYTES_MAX
from portal.web import deliveries
from portal.web.guards import gateway

log = structlog.get_logger()
blueprint = Blueprint("nodes", __name__)


@blueprint.post("/heartbeat")
@csrf.exempt
@gateway
def heartbeat() -> Any:
    """One report of one node. A forged one is refused and, beyond a few a minute, not even looked at."""
    token = settings().node_agent_token.get_secret_value()
    if not token:
        raise NoAgents
    body, now = deliveries.raw_body(bytes_max=BODY_BYTES_MAX), clock.now()
    if not body:
        raise MalformedHeartbeat
    try:
        sent_at = heartbeats.verify(
            body, timestamp=request.headers.get("X-Timestamp", ""), token=token, now=now,
            signature=request.headers.get("X-Signature", ""),
        )  # fmt: skip
        beat = heartbeats.parse(body)
    except PortalError as error:
        log.warning("heartbeat.refused", code=error.code, address=request.remote_addr)
        if isinstance(error, BadSignature):
            deliveries.count_bad_signature("heartbeat")
        raise
    with transaction() as session:
        noted = actions.note_heartbeat(session, beat, sent_at=sent_at, now=now)
    return jsonify(status="noted" if noted else "ignored")
