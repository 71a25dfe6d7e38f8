"""The way back from a suspension: what it costs, what is missing, and the queue when no slot is free."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.catalog.errors import QuotaExceeded
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.money import Money
from portal.subscriptions import actions, standing
from portal.subscriptions.errors import PriceChanged
from portal.subscriptions.models import Subscription
from portal.subscriptions.views.blueprint import blueprint
from portal.subscriptions.views.running import balance
from portal.wallet.errors import InsufficientCredit
from portal.web import htmx
from portal.web.guards import customer

SEEN_AGAIN = (PriceChanged, QuotaExceeded, InsufficientCredit)


@blueprint.get("/<uuid:subscription_id>/resumption")
@customer
def resumption(subscription_id: UUID) -> Response:
    """What coming back costs today, the next charge, and what stands in the way."""
    return _confirmation(subscription_id)


@blueprint.post("/<uuid:subscription_id>/resumption")
@customer
def resume(subscription_id: UUID) -> Response:
    """Pays a new period from today and brings the app back. The same form twice is one payment."""
    total = request.form.get("agreed_total", -1, type=int)
    try:
        with transaction() as session:
            actions.resume(session, subscription_id, current_customer().id, agreed=Money(total), now=clock.now())
    except SEEN_AGAIN as refusal:
        return _confirmation(subscription_id, refusal=refusal)
    flash(_("It is paid and coming back, just as it was."), "success")
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))


@blueprint.post("/<uuid:subscription_id>/resumption/place")
@customer
def wait_to_resume(subscription_id: UUID) -> Response:
    """Takes a place in the plan's queue, before all that do not resume."""
    with transaction() as session:
        actions.wait_to_resume(session, subscription_id, current_customer().id, now=clock.now())
    flash(_("You are in the queue. We tell you when a slot is free."), "success")
    return htmx.leave_for(url_for("subscriptions.resumption", subscription_id=subscription_id))


def _confirmation(subscription_id: UUID, *, refusal: PortalError | None = None) -> Response:
    """The page as things stand now; after a refusal with its reason and status."""
    session, now = db.session(), clock.now()
    one = standing.standing(session, subscription_id, current_customer().id, balance=balance(), now=now)
    if not one.can["resume"]:
        return _nothing_to_resume(one.subscription)
    way = standing.way_back(session, one.subscription)
    return htmx.render(
        "subscriptions/resumption.html", status=refusal.status if refusal else 200, standing=one,
        subscription=one.subscription, way=way, ends_at=standing.resumed_until(one.subscription, now=now),
        refusal=refusal,
    )  # fmt: skip


def _nothing_to_resume(subscription: Subscription) -> Response:
    """It runs again already, or has ended: its own page says which."""
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription.id))
