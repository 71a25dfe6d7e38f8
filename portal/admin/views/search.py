"""One box that finds a customer, an order, an invoice, an app, or whatever has an id."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from portal.admin.pages import has_page, page_of
from portal.admin.queries import search as queries
from portal.admin.queries.search import Hit
from portal.core.db import db
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_search", __name__)
KINDS: dict[str, tuple[str, str, Any]] = {
    "user": ("admin_users", "user", _l("Users")),
    "customer": ("admin_customers", "id", _l("Customers")),
    "payment": ("admin_payments", "credit-card", _l("Top-ups")),
    "subscription": ("admin_subscriptions", "repeat", _l("Subscriptions")),
    "instance": ("admin_instances", "apps", _l("Apps that run")),
    "domain": ("admin_instances", "world-www", _l("Domains")),
    "document": ("admin_invoices", "file-invoice", _l("Invoices")),
    "entry": ("admin_ledger", "book-2", _l("Ledger")),
    "work": ("admin_jobs", "clock-play", _l("Work")),
    "event": ("admin_gateway_events", "webhook", _l("Gateway events")),
}
"""The section of each kind, an icon and its heading; in the order of the page."""


@blueprint.get("/")
@administrator
def results() -> Response:
    """Everything that begins with what was typed; straight to it when only one thing is called exactly that."""
    typed = queries.cleaned(request.args.get("q", ""))
    hits = queries.found(db.session(), typed)
    exact = {address for hit in hits if hit.exact and (address := _page(hit))}
    if len(exact) == 1:
        return htmx.leave_for(exact.pop())
    ordered = sorted(hits, key=lambda hit: list(KINDS).index(hit.kind))
    groups = [(*KINDS[kind][1:], list(them)) for kind, them in groupby(ordered, key=lambda hit: hit.kind)]
    return htmx.render("admin/search/results.html", typed=typed, groups=groups, page=_page)


def _page(hit: Hit) -> str | None:
    """Where the thing is to be seen; of a user without a page of their own, the list that shows them alone."""
    blueprint_name = KINDS[hit.kind][0]
    address = page_of(blueprint_name, hit.id)
    if address is None and hit.kind == "user" and has_page("admin_users.listing"):
        return url_for("admin_users.listing", search=hit.detail)
    return address
