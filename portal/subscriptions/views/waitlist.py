"""The waitlist of a plan that is sold out: joining, leaving, and the address that mails lead to."""

from __future__ import annotations

from uuid import UUID

from flask import flash, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions import queues
from portal.subscriptions.actions import waiting
from portal.subscriptions.forms import PurchaseForm
from portal.subscriptions.models import WaitlistEntry
from portal.subscriptions.views.blueprint import blueprint
from portal.subscriptions.views.purchases import SEEN_AGAIN, confirmation, incomplete
from portal.web import htmx
from portal.web.guards import customer


@blueprint.post("/waitlist")
@customer
def join_waitlist() -> Response:
    """Takes a place in the queue, or changes what happens at one's turn. The same form twice is one place."""
    form = PurchaseForm()
    if not form.validate_on_submit():
        return incomplete(form)
    interval = form.interval.data or ""
    try:
        with transaction() as session:
            entry = waiting.join(
                session, current_customer().id, form.plan_id, interval=interval, automatic=bool(form.automatic.data),
                agreed_total=form.total, now=clock.now(),
            )  # fmt: skip
    except SEEN_AGAIN as refusal:
        return confirmation(form, form.plan_id, interval, refusal=refusal)
    flash(_("You are in the queue. We tell you when it is your turn."), "success")
    return htmx.leave_for(_plan_page(entry))


@blueprint.post("/waitlist/<uuid:entry_id>/leaving")
@customer
def leave_waitlist(entry_id: UUID) -> Response:
    """Gives up a place in a queue, or a slot that is held. What was set aside comes back at once."""
    with transaction() as session:
        waiting.leave(session, entry_id, current_customer().id, now=clock.now())
    flash(_("You no longer wait for it. Nothing was charged."), "info")
    return htmx.leave_for(url_for("subscriptions.listing"))


@blueprint.get("/waitlist/<uuid:entry_id>")
@customer
def waitlist_place(entry_id: UUID) -> Response:
    """Leads to where something can be done about one's place: the subscription it became or resumes, or the plan."""
    entry = queues.own_entry(db.session(), entry_id, current_customer().id)
    subscription_id = entry.subscription_id or entry.resumes_id
    if subscription_id is not None:
        return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))
    return htmx.leave_for(_plan_page(entry))


def _plan_page(entry: WaitlistEntry) -> str:
    return url_for("subscriptions.new", plan=entry.plan_id, interval=entry.interval)
