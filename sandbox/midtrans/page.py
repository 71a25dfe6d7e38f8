"""The payment page for the customer: plain forms, every step a page, so that it works without JavaScript.

The same pages serve the popup (`popup=1`), the embedded form (`embed=1`) and the redirect; the query carries
the mode from step to step.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .cards import CVV, OTP, TEST_CARDS, find_card
from .edge import simulator
from .gateway import Refused
from .messages import browser_result
from .methods import METHODS, Method, enabled_methods
from .records import Order, Session, Transaction
from .wording import LANGUAGES, rupiah, texts

blueprint = Blueprint("page", __name__, url_prefix="/snap/v4/redirection/<token>")
KEPT = (
    "popup", "embed", "origin", "language", "autoCloseDelay", "uiMode", "client_key", "selectedPaymentType",
)  # fmt: skip
GROUPS = (("qris", "wallet"), ("va", "bill"), ("card",), ("store",))
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-src 'self'; base-uri 'none'"
)


@blueprint.get("")
def page(token: str) -> AnyResponse | str:
    session = _live(token)
    order = _order(session)
    paid = simulator().records.paid_transaction_of(order.order_id)
    if paid and not simulator().may_pay_twice(order.order_id):
        raise Refused("406", "transaction has been processed")
    last = simulator().records.transactions_of(order.order_id)[-1:]
    if last and last[0].status == "pending" and "change" not in request.args:
        return redirect(_here("payment", transaction_id=last[0].transaction_id))
    offered = _offered(order)
    preset = request.args.get("selectedPaymentType") if "change" not in request.args else None
    if len(offered) == 1 or preset in {method.code for method in offered}:
        return redirect(_here("method", code=preset or offered[0].code))
    return _render("methods.html", session, groups=_grouped(offered), declined=_declined(last))


@blueprint.get("/method/<code>")
def method(token: str, code: str) -> str:
    session = _live(token)
    offered = _offered(_order(session))
    chosen = next((m for m in offered if m.code == code), None)
    if chosen is None:
        raise Refused("402", "Payment method is not enabled")
    return _method_page(session, chosen)


@blueprint.post("/charge")
def charge(token: str) -> AnyResponse | str | tuple[str, int]:
    session, code = _live(token), request.form.get("method", "")
    if simulator().faults.take(modes=["list_status_message"], order_id=session.order_id):
        raise Refused("406", "transaction has been processed")
    if code == "credit_card" and (wrong := _card_problem()):
        return _method_page(session, METHODS[code], problem=wrong), 422
    if (open_already := _pending_by(session, code)) is not None:
        return redirect(_here("payment", transaction_id=open_already.transaction_id), 303)
    transaction = simulator().choose(token, code, card_number=request.form.get("number", ""), ui=_ui())
    return redirect(_here("payment", transaction_id=transaction.transaction_id), 303)


@blueprint.get("/payment/<transaction_id>")
def payment(token: str, transaction_id: str) -> str | AnyResponse:
    """The waiting page while pending, the result once it is decided."""
    session, transaction = _session(token), _transaction(token, transaction_id)
    outcome = _outcome(transaction)
    result = browser_result(_order(session), transaction, _finish_url(session))
    if outcome == "pending" and simulator().faults.take(modes=["lying_result"], order_id=session.order_id):
        outcome, result = "success", result | {"status_code": "200", "transaction_status": "settlement"}
    waiting = outcome == "pending" and transaction.status == "pending"
    if waiting and transaction.shown.get("card_outcome") and "answered" not in request.args:
        return _render("secure.html", session, transaction=transaction)
    return _render(
        "waiting.html" if waiting else "result.html", session, transaction=transaction, outcome=outcome,
        result=result, many=len(_offered(_order(session))) > 1, instructions=_instructions(transaction),
    )  # fmt: skip


@blueprint.post("/payment/<transaction_id>/act")
def act(token: str, transaction_id: str) -> AnyResponse:
    """The customer's bank or wallet: pays or declines. A second press finds it done and shows the result."""
    transaction = _transaction(token, transaction_id)
    if transaction.status == "pending":
        if request.form.get("act") == "pay":
            simulator().pay(transaction_id)
        else:
            simulator().deny(transaction_id)
    return redirect(_here("payment", transaction_id=transaction_id), 303)


@blueprint.get("/payment/<transaction_id>/state")
def state(token: str, transaction_id: str) -> Response:
    return jsonify(status=_transaction(token, transaction_id).status)


@blueprint.route("/payment/<transaction_id>/3ds", methods=["GET", "POST"])
def three_ds(token: str, transaction_id: str) -> str | AnyResponse:
    """The bank's own page, shown in the nested frame; its forms lead the payment page on."""
    session, transaction = _session(token), _transaction(token, transaction_id)
    wrong_code = request.form.get("act") == "confirm" and request.form.get("otp", "").strip() != OTP
    if request.method == "GET" or (wrong_code and transaction.status == "pending"):
        return _render("three_ds.html", session, transaction=transaction, wrong_code=wrong_code, otp=OTP)
    if transaction.status == "pending":
        simulator().authenticate_card(transaction_id, passed=request.form.get("act") == "confirm")
    return _render("three_ds_done.html", session, target=_here("payment", transaction_id=transaction_id, answered=1))


@blueprint.errorhandler(Refused)
def dead_end(refusal: Refused) -> tuple[str, int]:
    """A token that cannot be paid any more: said in the frame and handed to onError on leaving."""
    token = (request.view_args or {}).get("token", "")
    session = simulator().records.sessions.get(token)
    result = {"status_code": refusal.code, "status_message": [refusal.text]}
    kind = {"407": "expired", "406": "processed", "401": "wrong_key"}.get(refusal.code, "unknown")
    return _render("dead_end.html", session, kind=kind, result=result), 200 if session else 404


@blueprint.after_request
def protect(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _live(token: str) -> Session:
    given = request.args.get("client_key")
    if given is not None and given != simulator().settings.client_key:
        raise Refused("401", "Access denied, please check the client key")
    return simulator().open_session(token) if token in simulator().records.sessions else _session(token)


def _session(token: str) -> Session:
    session = simulator().records.sessions.get(token)
    if session is None:
        raise Refused("404", "Transaction token is not found")
    return session


def _order(session: Session) -> Order:
    return simulator().records.orders[session.order_id]


def _transaction(token: str, transaction_id: str) -> Transaction:
    transaction = simulator().records.transactions.get(transaction_id)
    if transaction is None or transaction.order_id != _session(token).order_id:
        raise Refused("404", "Transaction doesn't exist.")
    return transaction


def _offered(order: Order) -> list[Method]:
    return enabled_methods(order.request.get("enabled_payments"))


def _grouped(offered: list[Method]) -> list[tuple[str, list[Method]]]:
    groups = [(families[0], [m for m in offered if m.family in families]) for families in GROUPS]
    return [(name, members) for name, members in groups if members]


def _declined(last: list[Transaction]) -> bool:
    return bool(last) and last[0].status in ("deny", "failure")


def _pending_by(session: Session, code: str) -> Transaction | None:
    """A second press of the same method (no JavaScript, back button) finds the number it already has."""
    tries = simulator().records.transactions_of(session.order_id)
    return next((t for t in tries if t.status == "pending" and t.method_code == code != "credit_card"), None)


def _method_page(session: Session, chosen: Method, problem: str = "") -> str:
    many = len(_offered(_order(session))) > 1
    cards = TEST_CARDS.values() if chosen.family == "card" else ()
    return _render("method.html", session, method=chosen, many=many, cards=cards, cvv=CVV, problem=problem)


def _card_problem() -> str:
    """Which field of the card form is wrong, as the name of its message; empty when none."""
    if find_card(request.form.get("number", "")) is None:
        return "card_unknown"
    return "" if request.form.get("cvv", "").strip() == CVV else "cvv_wrong"


def _ui() -> str:
    """Wallets open their app on a phone and are scanned elsewhere."""
    wanted = request.args.get("uiMode", "auto")
    if wanted in ("qr", "deeplink"):
        return wanted
    return "deeplink" if "Mobile" in (request.user_agent.string or "") else "qr"


def _outcome(transaction: Transaction) -> str:
    if transaction.successful:
        return "success"
    held = transaction.fraud_status == "challenge" or transaction.status in ("pending", "authorize")
    return "pending" if held else "error"


def _instructions(transaction: Transaction) -> str:
    family = transaction.method.family
    return "qris" if family == "wallet" and transaction.payment_type == "qris" else family


def _finish_url(session: Session) -> str:
    callbacks = _order(session).request.get("callbacks") or {}
    return callbacks.get("finish") or simulator().settings.finish_url


def _return_url(session: Session, transaction: Transaction | None, *, outcome: str) -> str:
    """Where redirect mode leads back to, with the three facts the vendor appends."""
    callbacks = _order(session).request.get("callbacks") or {}
    target = callbacks.get("error") if outcome == "error" else None
    target = target or _finish_url(session)
    if not target:
        return ""
    facts = {"order_id": session.order_id, "status_code": "201", "transaction_status": "pending"}
    if transaction is not None:
        told = browser_result(_order(session), transaction, "")
        facts |= {name: told[name] for name in ("status_code", "transaction_status")}
    else:
        facts |= {"action": "back"}
    return target + ("&" if "?" in target else "?") + urlencode(facts)


def _here(view: str, **values: Any) -> str:
    kept: dict[str, Any] = {name: request.args[name] for name in KEPT if name in request.args}
    return url_for(f"page.{view}", token=(request.view_args or {})["token"], **kept, **values)


def _render(template: str, session: Session | None, **context: Any) -> str:
    language = request.args.get("language", "id")
    language = language if language in LANGUAGES else "id"
    transaction = context.setdefault("transaction", None)
    outcome = context.setdefault("outcome", "error" if template == "dead_end.html" else "")
    mode = "popup" if "popup" in request.args else "embed" if "embed" in request.args else "redirect"
    back_url = _return_url(session, transaction, outcome=outcome) if session else ""
    seconds_left = _seconds_left(session, transaction)
    return render_template(
        f"page/{template}", t=texts(language), language=language, mode=mode, here=_here, session=session,
        order=_order(session) if session else None, settings=simulator().settings, rupiah=rupiah,
        back_url=back_url, origin=request.args.get("origin", ""), seconds_left=seconds_left,
        auto_close_s=request.args.get("autoCloseDelay", "5"), other_languages=LANGUAGES, **context,
    )  # fmt: skip


def _seconds_left(session: Session | None, transaction: Transaction | None) -> int:
    timed = transaction or session
    if timed is None:
        return 0
    return max(0, int((timed.expires_at - simulator().clock.now()).total_seconds()))
