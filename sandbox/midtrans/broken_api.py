"""Faults of the gateway's own HTTP: answers replaced, delayed, dripped or cut off.

A fault strikes before the request is carried out; with the parameter `applied=true` it is carried out first,
so that the caller is left with an unknown outcome.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, g, jsonify, request

from .edge import json_body, simulator
from .faults import Fault
from .gateway import NOT_FOUND

HANG_S, DRIP_INTERVAL_S = 60.0, 0.2
NEED_TRUE_ANSWER = frozenset({"drip", "answer_says"})
PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def install(app: Flask) -> None:
    """Put the faults around every route of the vendor's (never the control routes)."""
    app.before_request(_strike_before)
    app.after_request(_strike_after)


def _strike_before() -> Response | None:
    name = _endpoint_name()
    if name is None:
        return None
    struck = simulator().faults.take(["api"], order_id=_order_id(), endpoint=name)
    simulator().journal.write("request", _order_id(), {"endpoint": name, "faults": [f.mode for f in struck]})
    g.late_faults = [f for f in struck if f.params.get("applied") or f.mode in NEED_TRUE_ANSWER]
    for fault in struck:
        if fault not in g.late_faults:
            return _BROKEN[fault.mode](fault, None)
    return None


def _strike_after(answer: Response) -> Response:
    for fault in g.get("late_faults", []):
        answer = _BROKEN[fault.mode](fault, answer)
    return answer


def _endpoint_name() -> str | None:
    """create, cancel_session, snap_js, status, cancel, refund, ..., page, charge; None for control."""
    blueprint, _, name = (request.endpoint or "").rpartition(".")
    if blueprint not in ("snap", "core", "page"):
        return None
    return (request.view_args or {}).get("action", name)


def _order_id() -> str:
    records, args = simulator().records, request.view_args or {}
    if session := records.sessions.get(args.get("token", "")):
        return session.order_id
    if any_id := args.get("any_id", args.get("transaction_id")):
        found = records.transactions.get(any_id)
        return found.order_id if found else any_id
    body = json_body() if request.method == "POST" else None
    details = body.get("transaction_details") if isinstance(body, dict) else None
    return str(details.get("order_id", "")) if isinstance(details, dict) else ""


def _failing(status: int, text: str) -> Callable[[Fault, Response | None], Response]:
    def broken(fault: Fault, answer: Response | None) -> Response:
        snap = request.path.startswith("/snap")
        body = {"error_messages": [text]} if snap else {"status_code": str(status), "status_message": text}
        return _json(body, status)

    return broken


def _fixed(body: str, status: int, mimetype: str) -> Callable[[Fault, Response | None], Response]:
    return lambda fault, answer: Response(body, status, mimetype=mimetype)


def _tcp_reset(fault: Fault, answer: Response | None) -> Response:
    """Close with a reset instead of an answer: linger 0, then let the descriptor point elsewhere."""
    connection = request.environ.get("werkzeug.socket")

    def cut() -> Iterator[bytes]:
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, connection.fileno())
            os.close(nowhere)
        raise ConnectionResetError
        yield b""

    return Response(cut())


def _hang(fault: Fault, answer: Response | None) -> Response:
    fault.removed.wait(float(fault.params.get("seconds", HANG_S)))
    return Response("", 504)


def _drip(fault: Fault, answer: Response | None) -> Response:
    assert answer is not None
    answer.direct_passthrough = False
    content, interval_s = answer.get_data(), float(fault.params.get("interval_s", DRIP_INTERVAL_S))

    def drops() -> Iterator[bytes]:
        for position in range(len(content)):
            yield content[position : position + 1]
            fault.removed.wait(interval_s)

    slow = Response(drops(), answer.status_code, mimetype=answer.mimetype)
    slow.content_length = len(content)
    return slow


def _answer_says(fault: Fault, answer: Response | None) -> Response:
    assert answer is not None
    if not answer.is_json:
        return answer
    return _json(answer.get_json() | fault.params.get("set", {}), answer.status_code)


def _not_found(fault: Fault, answer: Response | None) -> Response:
    return _json({"status_code": NOT_FOUND[0], "status_message": NOT_FOUND[1]}, 200)


def _json(body: Any, status: int) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer


_BROKEN: dict[str, Callable[[Fault, Response | None], Response]] = {
    "http_429": _failing(429, "Rate limit exceeded"),
    "http_500": _failing(500, "Sorry, we encountered internal server error. We will fix this soon."),
    "http_503": _failing(503, "Service is unavailable, please try again later"),
    "html_502": _fixed(PROXY_PAGE, 502, "text/html"),
    "tcp_reset": _tcp_reset,
    "hang": _hang,
    "drip": _drip,
    "no_token": _fixed("{}", 201, "application/json"),
    "string_errors": _fixed(json.dumps({"error_messages": "something is wrong"}), 400, "application/json"),
    "empty_body": _fixed("", 200, "application/json"),
    "list_body": _fixed("[]", 200, "application/json"),
    "non_numeric_code": _fixed(json.dumps({"status_code": "A00"}), 200, "application/json"),
    "not_found": _not_found,
    "answer_says": _answer_says,
}
