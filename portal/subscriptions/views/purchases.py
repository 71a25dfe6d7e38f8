"""Subscribe, and *pay and launch*. One rule draws a button and stands behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from config import settings
from portal.accounts.sessions import current_customer
from portal.catalog.errors import PlanNotSold, QuotaExceeded
from portal.catalog.models import Interval
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.ids import parse_id
from portal.core.money import Money, rupiah
from portal.subscriptions import actions, intents, queries, rules
from portal.subscriptions.actions import trials
from portal.subscriptions.errors import (
    DuplicateSubscription,
    NoTrial,
    PriceChanged,
    SlotIsFree,
    TooManyHolds,
    TrialNeedsEmail,
    TrialUsed,
)
from portal.subscriptions.forms import PurchaseForm
from portal.subscriptions.queries import Offer
from portal.subscriptions.rules import Obstacle
from portal.subscriptions.rules.trials import TrialStanding, trial_end
from portal.subscriptions.views.blueprint import blueprint
from portal.wallet.errors import InsufficientCredit
from portal.web import htmx
from portal.web.guards import customer

SEEN_AGAIN = (
    PriceChanged, QuotaExceeded, InsufficientCredit, DuplicateSubscription, SlotIsFree, TooManyHolds, NoTrial,
    TrialUsed, TrialNeedsEmail,
)  # fmt: skip
"""Refusals after which the same page is shown again, as things stand now."""


@blueprint.get("/new")
@customer
def new() -> Response:
    """The one confirmation before buying: what it is, what it costs, what is left, what if it fails."""
    plan_id = parse_id(request.args.get("plan", ""))
    interval = request.args.get("interval", Interval.MONTHLY.value)
    return confirmation(PurchaseForm(formdata=None), plan_id, interval)


@blueprint.post("/")
@customer
def create() -> Response:
    """Buys the plan, or begins its trial. The same form twice is one purchase; a refusal shows the page again with
    the fresh figures."""
    form = PurchaseForm()
    if not form.validate_on_submit():
        return incomplete(form)
    try:
        with transaction() as session:
            purchase = replace(form.purchase, trial=request.form.get("trial") == "yes")
            subscription = actions.subscribe(session, current_customer().id, purchase, now=clock.now())
            instance_id = queries.first_instance_id(session, subscription.id)
    except SEEN_AGAIN as refusal:
        return confirmation(form, form.plan_id, form.interval.data or "", refusal=refusal)
    return htmx.leave_for(url_for("instances.show", instance_id=instance_id))


@blueprint.post("/launches")
@customer
def pay_and_launch() -> Response:
    """Remembers the wish to launch and leads to a top-up of what is missing; its arrival subscribes by itself.

    On request a slot is held meanwhile."""
    form = PurchaseForm()
    if not form.validate_on_submit():
        return incomplete(form)
    customer_id, now = current_customer().id, clock.now()
    offer = queries.offer(db.session(), customer_id, form.plan_id, form.interval.data or "", now=now)
    if offer.obstacle is not Obstacle.SHORT_OF_CREDIT:
        return confirmation(form, form.plan_id, offer.interval)
    try:
        with transaction() as session:
            intent = intents.note_intent(
                session, customer_id, form.plan_id, offer.interval, now=now, agreed_total=form.total,
                hold=bool(form.hold.data),
            )  # fmt: skip
    except SEEN_AGAIN as refusal:
        return confirmation(form, form.plan_id, offer.interval, refusal=refusal)
    return htmx.leave_for(url_for("payments.new", amount=_top_up(offer).amount, intent=intent.id))


@blueprint.post("/launches/<uuid:intent_id>/cancellation")
@customer
def cancel_launch(intent_id: UUID) -> Response:
    """Forgets a launch that waits for credit. Credit that arrives stays credit."""
    with transaction() as session:
        intents.cancel_intent(session, intent_id, current_customer().id, now=clock.now())
    flash(_("It will not be launched. Credit that arrives stays in your wallet."), "info")
    return htmx.leave_for(url_for("subscriptions.listing"))


def confirmation(
    form: PurchaseForm, plan_id: UUID | None, interval: str, *, refusal: PortalError | None = None
) -> Response:
    """The confirmation as things stand now; after a refusal with its reason and status."""
    if plan_id is None:
        raise PlanNotSold
    offer = queries.offer(db.session(), current_customer().id, plan_id, interval, now=clock.now())
    form.show(offer)
    context: dict[str, Any] = {"offer": offer, "form": form, "refusal": refusal, "top_up": _top_up(offer)}
    context |= {"trial": _trial(offer), "trial_ends_at": trial_end(clock.now(), days=offer.plan.trial_days)}
    return htmx.render("subscriptions/new.html", status=refusal.status if refusal else 200, **context)


def _trial(offer: Offer) -> TrialStanding | None:
    """Whether the reader may try the plan first; None when there is nothing to try."""
    if not offer.plan.trial_days or offer.obstacle in (Obstacle.DUPLICATE, Obstacle.SOLD_OUT):
        return None
    return trials.standing_of(db.session(), current_customer().id, offer.plan.service_id, [current_user])


def _top_up(offer: Offer) -> Money:
    return rules.top_up_for(offer.quote.shortfall, smallest=rupiah(settings().top_up_min))


def incomplete(form: PurchaseForm) -> Response:
    """A form that no page of ours sends: shows the confirmation again when at least the plan is known."""
    plan_id = parse_id(form.plan.data or "")
    refusal = PortalError(_("This form was incomplete. Nothing was charged. Look at it again, then confirm."))
    refusal.status = 422
    return confirmation(form, plan_id, form.interval.data or "", refusal=refusal)
