"""The wallet's page: what is there, where it went, what is on its way, and all of it as a file."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db
from portal.dashboard import queries as dashboard
from portal.payments import queries as payment_queries
from portal.payments import rules as payment_rules
from portal.wallet import queries, statement_file, wording
from portal.wallet.forms import HistoryForm
from portal.wallet.queries import Filters
from portal.web import htmx, limits, spreadsheets
from portal.web.guards import customer

blueprint = Blueprint("wallet", __name__)
PAGE_MAX = 100_000


@blueprint.get("/")
@customer
def overview() -> Response:
    """Balances, this month against last, open payments and the filtered history; htmx gets the history alone."""
    form = HistoryForm(request.args)
    filters, page = form.filters(), min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    history = queries.statement_page(db.session(), current_customer().id, filters, page=page)
    if page > 1 and not history.lines:
        return htmx.leave_for(url_for("wallet.overview", **_asked(filters)))
    context: dict[str, Any] = {"history": history, "asked": _asked(filters), "wording": wording, "form": form}
    if not htmx.asked():
        context |= _figures()
    return htmx.render("wallet/overview.html", partial="wallet/_history.html", **context)


@blueprint.get("/transactions.csv")
@customer
@limits.limiter.limit(limits.EXPORT, key_func=limits.by_user)
def transactions_csv() -> Response:
    """The filtered history as a file for a spreadsheet, written while it is read."""
    rows = queries.statement_rows(db.session(), current_customer().id, HistoryForm(request.args).filters())
    return spreadsheets.download("transactions", statement_file.COLUMNS, rows, statement_file.cells)


def _figures() -> dict[str, Any]:
    """What stands around the history: left out when htmx asks for the history alone."""
    session, customer_id = db.session(), current_customer().id
    waiting, places = dashboard.pending(session, customer_id)
    overview = queries.overview(session, customer_id, now=clock.now())
    set_aside = [place for place in places if place.held]
    held_otherwise = overview.held.amount > sum(place.held for place in set_aside)
    return {
        "overview": overview,
        "set_aside": set_aside,
        "going_back": payment_queries.refunds_under_way(session, customer_id) if held_otherwise else [],
        "waiting": waiting,
        "payment_rules": payment_rules,
    }


def _asked(filters: Filters) -> dict[str, Any]:
    """The filters that were set, as they stand in an address."""
    return {name: value for name, value in vars(filters).items() if value}
