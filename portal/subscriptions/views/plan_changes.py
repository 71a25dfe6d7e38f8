"""Changing the plan: choose, see the price line by line, confirm it, watch it being carried out."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from config import settings
from portal.accounts.sessions import current_customer
from portal.catalog.errors import QuotaExceeded
from portal.catalog.models import Interval
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.ids import parse_id
from portal.core.money import rupiah
from portal.subscriptions import rules, upgrades
from portal.subscriptions.actions import changing, waiting
from portal.subscriptions.actions.quoting import UNTAKEN
from portal.subscriptions.errors import CannotChangePlan, NotAnUpgrade, PriceChanged, QuoteExpired, SlotIsFree
from portal.subscriptions.models import PlanChange
from portal.subscriptions.progress import progress_of
from portal.subscriptions.upgrades import Quoted
from portal.subscriptions.views.blueprint import blueprint
from portal.wallet.errors import InsufficientCredit
from portal.web import htmx
from portal.web.guards import customer

QUOTED_ANEW = (QuoteExpired, PriceChanged)
SEEN_AGAIN = (QuotaExceeded, InsufficientCredit)


@blueprint.get("/<uuid:subscription_id>/plan-changes/new")
@customer
def new_plan_change(subscription_id: UUID) -> Response:
    """What the plan can be changed to, and what each would cost now. `plan` and `interval` choose one beforehand."""
    chosen = f"{parse_id(request.args.get('plan', ''))}:{request.args.get('interval', '')}"
    return _choices(subscription_id, chosen=chosen)


@blueprint.post("/<uuid:subscription_id>/plan-changes/")
@customer
def quote_plan_change(subscription_id: UUID) -> Response:
    """Quotes one of them, for fifteen minutes; takes nothing."""
    plan, _colon, interval = request.form.get("choice", "").partition(":")
    plan_id = parse_id(plan)
    if plan_id is None or interval not in set(Interval):
        return _choices(subscription_id, refusal=_incomplete())
    try:
        change = _quote(subscription_id, plan_id, interval)
    except (CannotChangePlan, NotAnUpgrade) as refusal:
        return _choices(subscription_id, refusal=refusal)
    return htmx.leave_for(_address(change))


@blueprint.get("/<uuid:subscription_id>/plan-changes/<uuid:change_id>")
@customer
def plan_change(subscription_id: UUID, change_id: UUID) -> Response:
    """The quote line by line; once confirmed, how it is coming along. Its region asks here every 3 s."""
    return _shown(subscription_id, change_id)


@blueprint.post("/<uuid:subscription_id>/plan-changes/<uuid:change_id>/confirmation")
@customer
def confirm_plan_change(subscription_id: UUID, change_id: UUID) -> Response:
    """Takes the quote. Pressed twice it is one change; a quote that is no longer current is shown anew."""
    try:
        with transaction() as session:
            change = changing.confirm(session, change_id, current_customer().id, now=clock.now())
    except QUOTED_ANEW as refusal:
        return _shown_anew(subscription_id, change_id, refusal)
    except SEEN_AGAIN as refusal:
        return _shown(subscription_id, change_id, refusal=refusal)
    except CannotChangePlan as refusal:
        return _choices(subscription_id, refusal=refusal)
    return htmx.leave_for(_address(change))


@blueprint.post("/<uuid:subscription_id>/plan-changes/<uuid:change_id>/waitlist")
@customer
def wait_for_plan_change(subscription_id: UUID, change_id: UUID) -> Response:
    """Joins the queue of a plan that is sold out; the present one goes on meanwhile. Joined again, nothing changes."""
    customer_id, now = current_customer().id, clock.now()
    quoted = upgrades.quoted(db.session(), subscription_id, change_id, customer_id, now=now)
    plan, interval = quoted.change.to_plan, quoted.change.to_interval
    price = rupiah(quoted.change.to_price + plan.setup_fee)
    try:
        with transaction() as session:
            waiting.join(session, customer_id, plan.id, interval=interval, automatic=False, agreed_total=price, now=now)
    except (SlotIsFree, PriceChanged) as refusal:
        return _shown(subscription_id, change_id, refusal=refusal)
    flash(_("You wait for a slot of %(plan)s now. We tell you when it is your turn.", plan=plan.name), "success")
    return htmx.leave_for(url_for("subscriptions.listing"))


def _choices(subscription_id: UUID, *, chosen: str = "", refusal: PortalError | None = None) -> Response:
    options = upgrades.options(db.session(), subscription_id, current_customer().id, now=clock.now())
    if options.change is not None:
        if refusal is None:
            return htmx.leave_for(_address(options.change))
        flash(str(refusal.message), "warning")
        return htmx.leave_for(_address(options.change))
    offered = [choice for choice in options.choices if choice.value == chosen] or options.choices
    return htmx.render(
        "subscriptions/plan_change/new.html",
        status=refusal.status if refusal else 200,
        offer=options,
        chosen=offered[0].value if offered else "",
        hurdle=CannotChangePlan(options.hurdle).message if options.hurdle else "",
        refusal=refusal,
    )


def _shown(subscription_id: UUID, change_id: UUID, *, refusal: PortalError | None = None) -> Response:
    quoted = upgrades.quoted(db.session(), subscription_id, change_id, current_customer().id, now=clock.now())
    if quoted.change.status not in UNTAKEN:
        context = {"quoted": quoted, **progress_of(quoted.change)}
        return htmx.render("subscriptions/plan_change/show.html", partial="subscriptions/_change.html", **context)
    return _quote_page(quoted, refusal=refusal)


def _shown_anew(subscription_id: UUID, change_id: UUID, refusal: PortalError) -> Response:
    """A fresh quote for the same plan and interval, with the reason."""
    stale = upgrades.quoted(db.session(), subscription_id, change_id, current_customer().id, now=clock.now()).change
    change = _quote(subscription_id, stale.to_plan_id, stale.to_interval)
    return _shown(subscription_id, change.id, refusal=refusal)


def _quote_page(quoted: Quoted, *, refusal: PortalError | None) -> Response:
    top_up = rules.top_up_for(quoted.shortfall, smallest=rupiah(settings().top_up_min))
    return htmx.render(
        "subscriptions/plan_change/quote.html", status=refusal.status if refusal else 200, quoted=quoted,
        change=quoted.change, refusal=refusal, top_up=top_up,
    )  # fmt: skip


def _quote(subscription_id: UUID, plan_id: UUID, interval: str) -> PlanChange:
    with transaction() as session:
        return changing.quote(session, subscription_id, current_customer().id, plan_id, interval, now=clock.now())


def _address(change: PlanChange) -> str:
    return url_for("subscriptions.plan_change", subscription_id=change.subscription_id, change_id=change.id)


def _incomplete() -> PortalError:
    refusal = PortalError(_("Choose one of the plans shown. Nothing was charged."))
    refusal.status = 422
    return refusal
