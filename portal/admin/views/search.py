"""One box that finds a customer, an order, an invoice, an app, or whatever has an id."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from portal.admin.queries import search as queries
from portal.admin.queries.search import Hit
from portal.admin.subjects import address_of
from portal.core.db import db
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_search", __name__)
KINDS: dict[str, tuple[str, Any]] = {
    "user": ("user", _l("Users")),
    "customer": ("id", _l("Customers")),
    "payment": ("credit-card", _l("Top-ups")),
    "subscription": ("repeat", _l("Subscriptions")),
    "instance": ("apps", _l("Apps that run")),
    "domain": ("world-www", _l("Domains")),
    "document": ("file-invoice", _l("Invoices")),
    "promo_code": ("gift", _l("Promo codes")),
    "entry": ("book-2", _l("Ledger")),
    "work": ("clock-play", _l("Work")),
    "event": ("webhook", _l("Gateway events")),
}
"""An icon and a heading for each kind, in the order of the page."""


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
    groups = [(*KINDS[kind], list(them)) for kind, them in groupby(ordered, key=lambda hit: hit.kind)]
    return htmx.render("admin/search/results.html", typed=typed, groups=groups, page=_page)


def _page(hit: Hit) -> str | None:
    return address_of(hit.kind, hit.id)
