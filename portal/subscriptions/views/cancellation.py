"""Leaving and staying: cancel at the period's end or now, undo it, auto-renew, and what is kept alive first."""

from __future__ import annotations

from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.subscriptions import actions, standing
from portal.subscriptions.actions.cancelling import refuse_ended
from portal.subscriptions.errors import RefundChanged
from portal.subscriptions.rules.refunds import Agreed
from portal.subscriptions.views.blueprint import blueprint
from portal.subscriptions.views.running import balance, listing, page_of
from portal.web import htmx
from portal.web.guards import customer


@blueprint.get("/<uuid:subscription_id>/leaving")
@customer
def leaving(subscription_id: UUID) -> Response:
    """Says exactly what happens, either way, before anything is cancelled."""
    return _confirmation(subscription_id)


@blueprint.post("/<uuid:subscription_id>/cancellation")
@customer
def cancel(subscription_id: UUID) -> Response:
    """Cancels at the period's end, or now for the refund that was shown."""
    if request.form.get("when") == "now":
        return _cancel_now(subscription_id)
    with transaction() as session:
        actions.request_cancellation(session, subscription_id, current_customer().id, now=clock.now())
    flash(_("It ends with its period. Until then you can undo this."), "success")
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))


@blueprint.post("/<uuid:subscription_id>/cancellation/withdrawal")
@customer
def undo_cancellation(subscription_id: UUID) -> Response:
    """Takes a cancellation back while it has not taken effect."""
    with transaction() as session:
        actions.undo_cancellation(session, subscription_id, current_customer().id, now=clock.now())
    flash(_("It goes on as before."), "success")
    return _back_to(subscription_id)


@blueprint.post("/<uuid:subscription_id>/auto-renewal")
@customer
def set_auto_renew(subscription_id: UUID) -> Response:
    """Switches renewing by itself on or off."""
    on = request.form.get("on") == "1"
    with transaction() as session:
        actions.set_auto_renew(session, subscription_id, current_customer().id, on=on, now=clock.now())
    flash(_("It renews by itself.") if on else _("It does not renew by itself any more."), "success")
    return _back_to(subscription_id)


@blueprint.post("/<uuid:subscription_id>/order")
@customer
def set_order(subscription_id: UUID) -> Response:
    """Puts it at another place of what one credit keeps alive first."""
    place = request.form.get("place", 1, type=int)
    with transaction() as session:
        actions.set_order(session, subscription_id, current_customer().id, place=place, now=clock.now())
    return listing() if htmx.asked() else htmx.leave_for(url_for("subscriptions.listing"))


def _cancel_now(subscription_id: UUID) -> Response:
    agreed = Agreed.read(request.form.get("agreed", ""))
    if agreed is None:
        return _confirmation(subscription_id, refusal=RefundChanged())
    try:
        with transaction() as session:
            actions.cancel_now(session, subscription_id, current_customer().id, agreed=agreed, now=clock.now())
    except RefundChanged as refusal:
        return _confirmation(subscription_id, refusal=refusal)
    flash(_("It has ended. Its app and data are being removed; nothing more is charged."), "success")
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))


def _confirmation(subscription_id: UUID, *, refusal: PortalError | None = None) -> Response:
    """The page as things stand now; after a refusal with its reason and status."""
    session, now = db.session(), clock.now()
    one = standing.standing(session, subscription_id, current_customer().id, balance=balance(), now=now)
    refuse_ended(one.subscription)
    agreed = standing.refund_offered(session, one.subscription, now=now)
    return htmx.render(
        "subscriptions/cancellation.html", status=refusal.status if refusal else 200, standing=one,
        subscription=one.subscription, agreed=agreed, refusal=refusal,
    )  # fmt: skip


def _back_to(subscription_id: UUID) -> Response:
    if htmx.asked():
        return page_of(subscription_id)
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))
