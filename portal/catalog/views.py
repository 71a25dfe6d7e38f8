"""Pages of the catalog: all services, and one service with its plans."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request
from flask_login import current_user
from sqlalchemy.orm import Session

from portal.accounts.sessions import current_customer
from portal.catalog import queries
from portal.catalog.filters import PRICE_CEILINGS, Filters, from_arguments
from portal.catalog.models import Interval, Service
from portal.core.db import db
from portal.instances.apps import app_template
from portal.instances.errors import UnknownApp
from portal.subscriptions import queues, upgrades
from portal.subscriptions.models import Subscription
from portal.subscriptions.rules import slots_for_sale
from portal.subscriptions.rules.changes import leads_up
from portal.web import htmx
from portal.web.guards import anyone

blueprint = Blueprint("catalog", __name__)


@blueprint.get("/")
@anyone
def index() -> Response:
    """All services, or those that match; htmx gets the results alone, while somebody types."""
    filters, session = from_arguments(request.args), db.session()
    if htmx.asked() or not filters.empty:
        return htmx.render("catalog/index.html", partial="catalog/_results.html", **_shown(session, filters))
    return htmx.render_shared(
        "catalog/index.html", stamp=lambda: queries.stamp(session), inputs=lambda: _shown(session, filters)
    )


def _shown(session: Session, filters: Filters) -> dict[str, Any]:
    cards = queries.cards(session, filters)
    everything = cards if filters.empty or htmx.asked() else queries.cards(session, Filters())
    return {
        "cards": cards,
        "filters": filters,
        "facets": queries.facets(everything),
        "price_ceilings": PRICE_CEILINGS,
    }


@blueprint.get("/<slug>")
@anyone
def service(slug: str) -> Response:
    """One service; its plans and free slots are one region, which looks again every twenty seconds."""
    interval = Interval.YEARLY if request.args.get("interval") == Interval.YEARLY else Interval.MONTHLY
    try:
        template = app_template(slug)
    except UnknownApp:
        template = None
    found = queries.service(db.session(), slug)
    return htmx.render(
        "catalog/service.html",
        partial="catalog/_plans.html",
        service=found,
        own=_own(found),
        leads_up=leads_up,
        waiting=queues.waiting_counts(db.session(), [plan.id for plan in found.plans]),
        slots_for_sale=slots_for_sale,
        template=template,
        interval=interval,
    )


def _own(found: Service) -> Subscription | None:
    """The reader's live subscription to it, with its plan: for them a higher plan is an upgrade."""
    if not current_user.is_authenticated or g.get("customer") is None:
        return None
    return upgrades.of_service(db.session(), current_customer().id, found.id)
