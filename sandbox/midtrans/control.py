"""The control surface: JSON for tests, one page with buttons for people. Answers this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .agenda import Task
from .edge import json_body, simulator
from .faults import MODES, UnknownFault
from .gateway import Refused
from .messages import status_answer
from .methods import METHODS
from .records import Order, Session, Transaction
from .states import MOVES
from .wording import rupiah

blueprint = Blueprint("control", __name__, url_prefix="/ctl")
LOOPBACK = ("127.0.0.1", "::1", None)
NOTIFICATION_VERBS = ("replay", "hold", "release", "drop", "edit")
Verb = Callable[..., Any]


@blueprint.before_request
def this_machine_only() -> None:
    """Neither another machine nor a foreign web page in a local browser may pull these levers."""
    origin = request.headers.get("Origin")
    if request.remote_addr not in LOOPBACK or (origin and origin != request.host_url.rstrip("/")):
        abort(403)


@blueprint.get("")
def index() -> str:
    records = simulator().records
    rows = [(order, records.transactions_of(order.order_id)) for order in reversed(records.orders.values())]
    return render_template(
        "ctl/index.html", rows=rows[:50], clock=simulator().clock, modes=MODES,
        faults=simulator().faults.active(),
        notifications=simulator().notifications()[-50:][::-1], methods=METHODS, rupiah=rupiah,
        verbs=_buttons, settings=simulator().settings,
    )  # fmt: skip


@blueprint.get("/orders")
def orders() -> Response:
    """Every order with its sessions and transactions."""
    return jsonify([_order(order) for order in simulator().records.orders.values()])


@blueprint.get("/orders/<order_id>")
def order(order_id: str) -> Response:
    found = simulator().records.orders.get(order_id) or abort(404)
    return jsonify(_order(found))


@blueprint.post("/orders/<any_id>/<verb>")
def act(any_id: str, verb: str) -> Response | AnyResponse:
    """Any verb of the simulator on an order or transaction; parameters as JSON or form fields."""
    known = _verbs().get(verb) or abort(404)
    return _done(known(any_id, **_parameters()))


@blueprint.post("/pay")
def pay() -> Response | AnyResponse:
    """As the customer's bank: `reference` is a VA number, bill key, QR text, payment code or order id."""
    parameters = _parameters()
    return _done(simulator().pay(str(parameters.pop("reference", "")), **parameters))


@blueprint.get("/clock")
def clock() -> Response:
    hands = simulator().clock
    return jsonify(now=hands.now().isoformat(), scale=hands.scale, tasks=[_task(t) for t in _agenda()])


@blueprint.post("/clock/advance")
def advance() -> Response | AnyResponse:
    simulator().advance(float(_parameters().get("seconds", 0)))
    return _done(clock())


@blueprint.post("/clock/freeze")
def freeze() -> Response | AnyResponse:
    simulator().freeze()
    return _done(clock())


@blueprint.post("/clock/resume")
def resume() -> Response | AnyResponse:
    simulator().resume(float(_parameters().get("scale", 1.0)))
    return _done(clock())


@blueprint.post("/drain")
def drain() -> Response | AnyResponse:
    """Wait until everything due is delivered."""
    simulator().drain(float(_parameters().get("timeout_s", 30)))
    return _done({"drained": True})


@blueprint.get("/notifications")
def notifications() -> Response:
    wanted = {name: request.args.get(name, "") for name in ("order_id", "state")}
    return jsonify([n.described() for n in simulator().notifications(**wanted)])


@blueprint.post("/notifications/<int:number>/<verb>")
def notification(number: int, verb: str) -> Response | AnyResponse:
    """replay, hold, release, drop; edit takes changed fields, `resign` (true) and `raw`."""
    if verb not in NOTIFICATION_VERBS or number not in simulator().postman.notifications:
        abort(404)
    if verb == "edit":
        simulator().edit(number, **_parameters())
    else:
        number = getattr(simulator().postman, verb)(number) or number
    return _done(simulator().postman.notifications[number].described())


@blueprint.post("/forge")
def forge() -> Response | AnyResponse:
    """Send a spoiled message now: `order_id`, `mode`, optional `claim`, and the mode's parameters."""
    parameters = _parameters()
    return _done({"numbers": simulator().forge(str(parameters.pop("order_id", "")), **parameters)})


@blueprint.post("/test-ping")
def test_ping() -> Response | AnyResponse:
    return _done({"numbers": simulator().send_test_ping()})


@blueprint.post("/unknown-order")
def unknown_order() -> Response | AnyResponse:
    return _done({"numbers": simulator().send_unknown_order(**_parameters())})


@blueprint.get("/faults")
def faults() -> Response:
    return jsonify([fault.described() for fault in simulator().faults.active()])


@blueprint.get("/faults/modes")
def modes() -> Response:
    return jsonify({mode: {"group": group, "does": text} for mode, (group, text) in MODES.items()})


@blueprint.post("/faults")
def inject() -> Response | AnyResponse:
    """`mode` and optionally `order_prefix`, `event`, `endpoint`, `times`, `probability`, the mode's own."""
    parameters = {name: value for name, value in _parameters().items() if value != ""}
    return _done(simulator().inject(str(parameters.pop("mode", "")), **parameters).described())


@blueprint.delete("/faults")
@blueprint.post("/faults/clear")
def clear_faults() -> Response | AnyResponse:
    simulator().heal()
    return _done([])


@blueprint.delete("/faults/<int:fault_id>")
@blueprint.post("/faults/<int:fault_id>/remove")
def remove_fault(fault_id: int) -> Response | AnyResponse:
    simulator().heal(fault_id)
    return _done([fault.described() for fault in simulator().faults.active()])


@blueprint.get("/settings")
def settings() -> Response:
    known = vars(simulator().settings)
    return jsonify({name: value for name, value in known.items() if name != "server_key"})


@blueprint.post("/settings")
def change_settings() -> Response | AnyResponse:
    simulator().settings.change(**_parameters())
    return _done(settings())


@blueprint.get("/journal")
def journal() -> Response:
    wanted = {name: request.args.get(name, "") for name in ("kind", "order_id")}
    return jsonify(simulator().journal.entries(**wanted))


@blueprint.post("/reset")
def reset() -> Response | AnyResponse:
    simulator().reset()
    return _done({"reset": True})


@blueprint.errorhandler(Refused)
def refused(refusal: Refused) -> tuple[Response, int]:
    return jsonify(code=refusal.code, text=refusal.text), 409


@blueprint.errorhandler(UnknownFault)
@blueprint.errorhandler(TypeError)
@blueprint.errorhandler(ValueError)
@blueprint.errorhandler(KeyError)
def not_understood(error: Exception) -> tuple[Response, int]:
    return jsonify(code="400", text=f"{type(error).__name__}: {error}"), 400


def _verbs() -> dict[str, Verb]:
    """What can be done to one order or transaction, by the name in the address."""
    sim = simulator()
    return {
        "choose": lambda any_id, method, **more: sim.choose(any_id, method, **more),
        "pay": sim.pay, "settle": sim.settle, "deny": sim.deny, "fail": sim.fail, "expire": sim.expire,
        "cancel": sim.cancel, "authorize": sim.authorize, "capture": sim.capture, "challenge": sim.challenge,
        "approve": sim.approve, "deny_challenge": sim.deny_challenge, "reverse": sim.reverse,
        "chargeback": sim.chargeback, "refund": sim.refund, "expire_page": sim.expire_page,
        "authenticate": sim.authenticate_card,
    }  # fmt: skip


def _buttons(transaction: Transaction) -> list[str]:
    """The verbs worth a button in this state."""
    by_target = {
        "settlement": "settle", "expire": "expire", "cancel": "cancel", "deny": "deny", "refund": "refund",
        "chargeback": "chargeback",
    }  # fmt: skip
    found = [verb for target, verb in by_target.items() if target in MOVES[transaction.status]]
    if transaction.status == "settlement":
        found.remove("deny")
        found += ["reverse"] if transaction.method.reversible else []
        found = [verb for verb in found if verb != "refund" or transaction.method.refund_days]
    if transaction.status == "capture":
        held = transaction.fraud_status == "challenge"
        found = ["approve", "deny_challenge", "cancel"] if held else ["settle", "cancel"]
    return found


def _parameters() -> dict[str, Any]:
    if request.form:
        return {name: _typed(value) for name, value in request.form.items() if name != "press"}
    body = json_body()
    return body if isinstance(body, dict) else {}


def _typed(text: str) -> Any:
    """A form field as the number it looks like."""
    return int(text) if text.lstrip("-").isdigit() else text


def _done(what: Any) -> Response | AnyResponse:
    """Back to the page for a form, JSON for everybody else."""
    if request.form:
        return redirect(url_for("control.index"), 303)
    if isinstance(what, Response):
        return what
    return jsonify(_plain(what))


def _plain(what: Any) -> Any:
    if isinstance(what, Transaction):
        return _transaction(what)
    return _session(what) if isinstance(what, Session) else what


def _order(order: Order) -> dict[str, Any]:
    records = simulator().records
    return {
        "order_id": order.order_id,
        "amount": order.amount,
        "notification_urls": order.notification_urls,
        "sessions": [_session(session) for session in records.sessions_of(order.order_id)],
        "transactions": [_transaction(t) for t in records.transactions_of(order.order_id)],
    }


def _transaction(transaction: Transaction) -> dict[str, Any]:
    order = simulator().records.orders[transaction.order_id]
    told = status_answer(order, transaction, simulator().settings)
    return told | {"method": transaction.method_code, "references": sorted(transaction.references)}


def _session(session: Session) -> dict[str, Any]:
    return {"token": session.token, "state": session.state, "expires_at": session.expires_at.isoformat()}


def _agenda() -> list[Task]:
    return simulator().agenda.pending()


def _task(task: Task) -> dict[str, Any]:
    return {"due": task.due.isoformat(), "kind": task.kind} | task.args
