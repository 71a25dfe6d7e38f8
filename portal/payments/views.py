"""Top-up pages. Closing the popup loses nothing; whatever the browser claims, only the gateway's status counts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from config import settings
from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.payments import actions, queries, rules
from portal.payments.errors import GatewayRefused, GatewayUnavailable, OrderTaken
from portal.payments.forms import PRESETS, TopUpForm
from portal.payments.gateways import Order
from portal.payments.gateways.midtrans import api_url, snap_js_url
from portal.payments.models import PaymentAttempt
from portal.payments.registry import gateway_named
from portal.subscriptions import intents
from portal.transfers import actions as transfers
from portal.web import htmx, limits, security
from portal.web.guards import customer

log = structlog.get_logger()
blueprint = Blueprint("payments", __name__)
STOP_POLLING = 286  # htmx: swap this answer and ask no more


@blueprint.get("/new")
@customer
def new() -> Response:
    """The form: how much, and by which method."""
    form = TopUpForm(formdata=None)
    form.amount.data = _asked_amount()
    form.intent.data = str(parse_id(request.args.get("intent", "")) or "")
    return _form_page(form)


@blueprint.post("/")
@customer
@limits.limiter.limit(limits.TOP_UP, key_func=limits.by_user)
def create() -> Response:
    """Commits the top-up, then asks the gateway for its popup. The same form twice is one top-up."""
    form = TopUpForm()
    if not form.validate_on_submit():
        return _form_page(form, status=422)
    wanted = actions.TopUp(form.money, form.method.data, form.key.data)
    customer_id = current_customer().id
    by_transfer = wanted.method == rules.BANK_TRANSFER
    with transaction() as session:
        ask = transfers.ask if by_transfer else actions.request_top_up
        payment = ask(session, customer_id, wanted, now=clock.now())
        if form.intent.data:
            intents.attach_payment(session, UUID(form.intent.data), customer_id, payment.id)
    return _to_transfer(payment.id) if payment.gateway == rules.BANK_TRANSFER else _to_payment(payment.id)


@blueprint.get("/")
@customer
def listing() -> Response:
    """All top-ups, newest first."""
    page = max(1, request.args.get("page", 1, type=int))
    found, more = queries.payments(db.session(), current_customer().id, page=min(page, 10_000))
    return htmx.render("payments/listing.html", payments=found, page=page, more=more, methods=rules.METHODS)


@blueprint.get("/<uuid:payment_id>")
@customer
def show(payment_id: UUID) -> Response:
    """One page that always tells the truth about a top-up, and refreshes itself while it is open."""
    session = db.session()
    page = queries.payment_page(session, payment_id, current_customer().id)
    if page.payment.gateway == rules.BANK_TRANSFER:
        return _to_transfer(payment_id)
    intent = intents.of_payment(session, payment_id)
    if page.attempt.token and page.payment.open:
        security.allow_payment_popup(script_url=snap_js_url(settings()), api_url=api_url(settings()))
    context: dict[str, Any] = {
        "page": page,
        "intent": intent,
        "may_pay": rules.may_pay(page.payment.status, expires_at=page.payment.expires_at, now=clock.now()),
        "may_cancel": rules.may_cancel(page.payment.status),
        "snap_js_url": snap_js_url(settings()),
        "out_of_band": htmx.asked(),
    }
    done = page.finished and (intent is None or intent.decided_at is not None)
    status = STOP_POLLING if htmx.asked() and done else 200
    return htmx.render("payments/show.html", partial="payments/_status.html", status=status, done=done, **context)


@blueprint.post("/<uuid:payment_id>/pay")
@customer
def pay(payment_id: UUID) -> Response:
    """Continues an open top-up: the same one, never a second."""
    with transaction() as session:
        actions.payable_attempt(session, payment_id, current_customer().id, now=clock.now())
    return _to_payment(payment_id)


@blueprint.post("/<uuid:payment_id>/check")
@customer
@limits.limiter.limit(limits.CHECK_NOW, key_func=limits.by_user)
def check(payment_id: UUID) -> Response:
    """Asks the gateway again; pressed by the customer, or by the popup's callbacks, whatever they claim."""
    with transaction() as session:
        actions.request_check(session, payment_id, current_customer().id, now=clock.now())
    if htmx.asked():
        return show(payment_id)
    flash(_("We are asking the payment provider. This page refreshes itself."), "info")
    return htmx.leave_for(url_for("payments.show", payment_id=payment_id))


@blueprint.post("/<uuid:payment_id>/cancellation")
@customer
def cancel(payment_id: UUID) -> Response:
    """Stops waiting for a top-up. Money that is already on its way is credited all the same."""
    with transaction() as session:
        actions.cancel(session, payment_id, current_customer().id, now=clock.now())
    flash(_("The top-up is cancelled. Money that is already on its way will be credited all the same."), "info")
    return htmx.leave_for(url_for("payments.show", payment_id=payment_id))


@blueprint.get("/return")
@customer
def come_back() -> Response:
    """Where the gateway's own page sends the browser. Its query says nothing we believe: we look ourselves."""
    order_id = request.args.get("order_id", "")
    payment_id = None if "\x00" in order_id else queries.payment_of_order(db.session(), order_id, current_customer().id)
    if payment_id is None:
        raise NotFound
    with transaction() as session:
        actions.request_check(session, payment_id, current_customer().id, now=clock.now())
    return htmx.leave_for(url_for("payments.show", payment_id=payment_id))


def _form_page(form: TopUpForm, *, status: int = 200) -> Response:
    intent_id = parse_id(form.intent.data or "")
    intent = intents.waiting(db.session(), intent_id, current_customer().id) if intent_id else None
    groups: dict[str, list[rules.Method]] = {}
    for method in rules.offered(bank_transfer=bool(settings().bank_accounts)):
        groups.setdefault(method.group, []).append(method)
    return htmx.render(
        "payments/new.html", status=status, form=form, presets=PRESETS, groups=groups, intent=intent,
        smallest=settings().top_up_min, largest=settings().top_up_max,
    )  # fmt: skip


def _asked_amount() -> str:
    """The amount a link pre-fills, grouped for reading; the smaller default is what most first-timers need."""
    asked = request.args.get("amount", 50_000, type=int)
    return f"{min(max(asked, settings().top_up_min), settings().top_up_max):,}".replace(",", ".")


def _to_transfer(payment_id: UUID) -> Response:
    return htmx.leave_for(url_for("transfers.show", payment_id=payment_id))


def _to_payment(payment_id: UUID) -> Response:
    """Makes sure there is a checkout, then leads to the top-up's page, which opens the popup."""
    try:
        _ensure_checkout(payment_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        flash(str(error.message), "danger")
        return htmx.leave_for(url_for("payments.show", payment_id=payment_id))
    return htmx.leave_for(url_for("payments.show", payment_id=payment_id, open=1))


def _ensure_checkout(payment_id: UUID) -> None:
    """Calls the gateway for an attempt without a token; the attempt was committed before, so nothing can be lost."""
    with transaction() as session:
        attempt = actions.payable_attempt(session, payment_id, current_customer().id, now=clock.now())
        if not actions.claim_checkout(session, attempt.id, now=clock.now()):
            return
    try:
        checkout = gateway_named(attempt.gateway).create(_order(attempt))
    except OrderTaken:
        attempt = _second_attempt(payment_id)
        checkout = gateway_named(attempt.gateway).create(_order(attempt))
    except (GatewayUnavailable, GatewayRefused) as error:
        log.warning("payment.no_checkout", order_id=attempt.order_id, code=error.code, **error.details)
        with transaction() as session:
            actions.note_attempt_error(session, attempt.id, error.code)
        raise
    with transaction() as session:
        actions.store_checkout(session, attempt.id, checkout)


def _second_attempt(payment_id: UUID) -> PaymentAttempt:
    """The gateway knows the order already, from a call whose answer we lost: a new order id for the same top-up."""
    with transaction() as session:
        payment = actions.request_check(session, payment_id, current_customer().id, now=clock.now())
        return actions.add_attempt(session, payment, now=clock.now())


def _order(attempt: PaymentAttempt) -> Order:
    payment = queries.payment_page(db.session(), attempt.payment_id, current_customer().id).payment
    return Order(
        order_id=attempt.order_id,
        amount=payment.money,
        description=_("%(brand)s credit", brand=settings().brand_name),
        method=payment.method,
        customer_name=current_user.name,
        customer_email=current_user.email,
        starts_at=attempt.created_at,
        expires_at=payment.expires_at,
        return_url=settings().public_url.rstrip("/") + url_for("payments.come_back"),
    )
