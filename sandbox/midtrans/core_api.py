"""The Core API: status and actions. Errors are HTTP 200 with the code in the body, unless set otherwise."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import segno
from flask import Blueprint, Response, current_app, jsonify, request

from .edge import authenticated, json_body, simulator
from .gateway import NOT_FOUND, Refused
from .records import new_id

blueprint = Blueprint("core", __name__, url_prefix="/v2")
REMEMBERED_FOR = timedelta(minutes=5)
KEY_MAX = 46
UNKNOWN_KEY = "Transaction cannot be authorized with the current client/server key."
Answer = tuple[Response, int]


@blueprint.get("/<any_id>/status")
def status(any_id: str) -> Answer:
    return _answer(lambda: simulator().status(any_id))


@blueprint.get("/<any_id>/status/b2b")
def status_b2b(any_id: str) -> Answer:
    return _answer(lambda: {"status_code": "200", "transactions": [simulator().status(any_id)]})


@blueprint.post("/<any_id>/<any(cancel, expire, approve, deny):action>")
def act(any_id: str, action: str) -> Answer:
    return _answer(lambda: _act(any_id, action))


@blueprint.post("/capture")
def capture() -> Answer:
    return _answer(_capture)


@blueprint.post("/<any_id>/refund")
def refund(any_id: str) -> Answer:
    return _answer(lambda: _refund(any_id, direct=False))


@blueprint.post("/<any_id>/refund/online/direct")
def refund_direct(any_id: str) -> Answer:
    return _answer(lambda: _refund(any_id, direct=True))


@blueprint.get("/qris/<transaction_id>/qr-code")
def qr_code(transaction_id: str) -> Response:
    """The picture of a code that no wallet can pay; `?format=svg` for a vector."""
    transaction = simulator().records.transactions.get(transaction_id)
    if transaction is None or "qr_string" not in transaction.shown:
        return Response("Not found", 404)
    kind = "svg" if request.args.get("format") == "svg" else "png"
    picture = io.BytesIO()
    segno.make(transaction.shown["qr_string"], error="m").save(picture, kind=kind, scale=6, border=2)
    return Response(picture.getvalue(), mimetype="image/svg+xml" if kind == "svg" else "image/png")


def _act(any_id: str, action: str) -> dict[str, Any]:
    verbs: dict[str, tuple[Callable[[str], Any], str]] = {
        "cancel": (simulator().cancel, "Success, transaction is canceled"),
        "expire": (simulator().expire, "Success, transaction has expired"),
        "approve": (simulator().approve, "Success, transaction is approved"),
        "deny": (simulator().deny_challenge, "Success, transaction is denied"),
    }
    verb, text = verbs[action]
    transaction = verb(any_id)
    return _unsigned(transaction.transaction_id, text, "407" if action == "expire" else "200")


def _capture() -> dict[str, Any]:
    body = json_body() or {}
    amount = body.get("gross_amount")
    transaction = simulator().capture(
        str(body.get("transaction_id", "")), amount=None if amount is None else int(float(amount))
    )
    return _unsigned(transaction.transaction_id, "Success, the card transaction is captured", "200")


def _refund(any_id: str, *, direct: bool) -> dict[str, Any]:
    body = json_body() or {}
    amount = body.get("amount")
    if amount is not None and type(amount) is not int:
        raise Refused("414", "Refund amount is not valid")
    key, reason = body.get("refund_key"), str(body.get("reason") or "")
    answer = simulator().refund(any_id, amount=amount, refund_key=key, reason=reason, direct=direct)
    return {name: value for name, value in answer.items() if name != "signature_key"}


def _unsigned(transaction_id: str, text: str, code: str) -> dict[str, Any]:
    answer = simulator().status(transaction_id) | {"status_code": code, "status_message": text}
    return {name: value for name, value in answer.items() if name != "signature_key"}


def _answer(work: Callable[[], dict[str, Any]]) -> Answer:
    if not authenticated():
        return _wire({"status_code": "401", "status_message": UNKNOWN_KEY, "id": new_id()})
    if (earlier := _remembered()) is not None:
        return _wire(earlier)
    try:
        body = work()
    except Refused as refusal:
        return _wire({"status_code": refusal.code, "status_message": refusal.text, "id": new_id()})
    _remember(body)
    return _wire(body)


def _wire(body: dict[str, Any]) -> Answer:
    code = int(body["status_code"])
    as_http = simulator().settings.core_errors_as_http and code >= 400 and code != 407
    return jsonify(body), code if as_http else 200


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
    return key if 0 < len(key) <= KEY_MAX else None


def _memory() -> dict[str, tuple[datetime, dict[str, Any]]]:
    return current_app.extensions.setdefault("idempotency", {})


def _remembered() -> dict[str, Any] | None:
    """The first successful answer under this key, for five minutes, whatever the body."""
    until, body = _memory().get(_idempotency_key() or "", (None, None))
    return body if until is not None and simulator().clock.now() < until else None


def _remember(body: dict[str, Any]) -> None:
    if key := _idempotency_key():
        _memory()[key] = (simulator().clock.now() + REMEMBERED_FOR, body)


@blueprint.errorhandler(404)
def missing(_: Exception) -> Answer:
    return _wire({"status_code": NOT_FOUND[0], "status_message": NOT_FOUND[1], "id": new_id()})
