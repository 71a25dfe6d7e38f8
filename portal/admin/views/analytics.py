"""Analytics: the business over any range of days, compared with the range before, as charts, tables and files."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import DateField

from portal.admin.lists import FilterForm, address
from portal.admin.queries import analytics as queries
from portal.core import clock
from portal.core.db import db
from portal.core.errors import NotFound
from portal.insights import ranges
from portal.insights.tables import Analytics
from portal.web import htmx, spreadsheets
from portal.web.guards import administrator

blueprint = Blueprint("admin_analytics", __name__)
RANGES = {
    "7d": _l("7 days"),
    "30d": _l("30 days"),
    "90d": _l("90 days"),
    "month": _l("This month"),
    "last_month": _l("Last month"),
    "year": _l("This year"),
}


class Days(FilterForm):
    """Days of one's own."""

    since = DateField(_l("From"))
    until = DateField(_l("To"))


@blueprint.get("/")
@administrator
def overview() -> Response:
    """Every measure and its course; with `format=csv` one `table` as a file."""
    form = Days(request.args)
    since, until = form.wanted("since"), form.wanted("until")
    word, chosen = ranges.read(request.args.get("range", ""), since, until, today=clock.today())
    found, made_at = queries.analytics(db.session(), chosen)
    if request.args.get("format") == "csv":
        return _file(found, request.args.get("table", ""))
    return htmx.render(
        "admin/analytics/overview.html", found=found, made_at=made_at, word=word, words=RANGES, form=form,
        address=address,
    )  # fmt: skip


def _file(found: Analytics, name: str) -> Response:
    table = next((one for one in found.tables if one.name == name), None)
    if table is None:
        raise NotFound
    return spreadsheets.download(name.replace("_", "-"), table.heading, table.rows, _cells)


def _cells(row: Any) -> list[Any]:
    return [value if isinstance(value, int) or value is None else str(value) for value in row]
