"""The customer's home page: what they have, what it costs, what is due, what changed."""

from __future__ import annotations

from flask import Blueprint, Response

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db
from portal.dashboard import queries
from portal.wallet import wording
from portal.web import htmx
from portal.web.guards import customer
from portal.web.page import chip

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
@customer
def overview() -> Response:
    """Everything at a glance; htmx gets the apps alone, while one of them is being set up."""
    session, customer_id, now = db.session(), current_customer().id, clock.now()
    running = queries.apps(session, customer_id)
    if htmx.asked():
        return htmx.render("dashboard/overview.html", partial="dashboard/_apps.html", running=running)
    pending, places = queries.pending(session, customer_id)
    return htmx.render(
        "dashboard/overview.html",
        running=running,
        offers=[place for place in places if place.holds_slot],
        runway=queries.runway(running, chip().balance, now=now),
        due=queries.due_soon(running, now=now),
        unpaid=queries.unpaid(running),
        pending=pending,
        activity=queries.activity(session, customer_id),
        wording=wording,
    )
