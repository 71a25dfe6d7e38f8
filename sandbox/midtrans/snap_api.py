"""Snap for the merchant's server: tokens. Errors are `error_messages` with a real HTTP status."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_from_directory

from .edge import BODY_MAX_BYTES, authenticated, base_url, json_body, simulator, url_list
from .gateway import Refused, RequestRefused

blueprint = Blueprint("snap", __name__, url_prefix="/snap")
ACCESS_DENIED = [
    "Access denied due to unauthorized transaction, please check client or server key",
    "Visit https://snap-docs.midtrans.com/#request-headers for more details",
]
Answer = tuple[Response, int]


@blueprint.post("/v1/transactions")
def create() -> Answer:
    if not authenticated():
        return _errors(ACCESS_DENIED, 401)
    if (request.content_length or 0) > BODY_MAX_BYTES:
        return _errors(["Request is too large"], 413)
    try:
        session = simulator().create_order(
            json_body(),
            override=url_list(request.headers.get("X-Override-Notification", "")),
            append=url_list(request.headers.get("X-Append-Notification", "")),
        )
    except RequestRefused as refusal:
        return _errors(refusal.reasons, 400)
    return jsonify(token=session.token, redirect_url=f"{base_url()}/snap/v4/redirection/{session.token}"), 201


@blueprint.post("/v1/transactions/<token>/cancel")
def cancel_session(token: str) -> Answer:
    if not authenticated():
        return _errors(ACCESS_DENIED, 401)
    try:
        canceled_at = simulator().cancel_session(token)
    except Refused as refusal:
        return _errors([refusal.text], int(refusal.code))
    return jsonify(canceled_at=canceled_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")), 200


@blueprint.get("/snap.js")
def snap_js() -> Response:
    folder = f"{blueprint.root_path}/assets"
    return send_from_directory(folder, "snap.js", mimetype="text/javascript", max_age=0)


def _errors(reasons: list[str], status: int) -> tuple[Any, int]:
    return jsonify(error_messages=reasons), status
