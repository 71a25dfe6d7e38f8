"""Answers every list of the operator's side in the same way: a page, its region, or all of it as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField

from portal.core.db import db
from portal.web import htmx, listings, spreadsheets
from portal.web.forms import PortalForm
from portal.web.listings import Listing

PLACE = ("after", "before", "format")
"""Of an address, what says where in a list one is; the rest says which list it is."""


class FilterForm(PortalForm):
    """What of a list is wanted. It only reads, so it has no token and lives in the address."""

    class Meta(PortalForm.Meta):
        csrf = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for field in self:
            if isinstance(field, SelectField) and field.data is None:
                field.data = ""  # nothing was asked for, which is a choice of every filter and no mistake

    def wanted(self, name: str) -> Any:
        """What was asked for; None when nothing was, or nothing that makes sense."""
        self.validate()
        asked = self[name].data
        return None if self[name].errors or (isinstance(asked, str) and "\0" in asked) else (asked or None)


def answer(
    listing: Listing, *, folder: str, form: FlaskForm, heading: Sequence[str], cells: Callable[[Any], Sequence[Any]],
    **context: Any,
) -> Response:  # fmt: skip
    """Shows `admin/<folder>/listing.html`, to htmx `_listing.html`; with `format=csv` a file of every row."""
    asked = request.args
    if asked.get("format") == "csv":
        rows = listings.every_row(db.session(), listing, order=asked.get("order", ""))
        return spreadsheets.download(folder.replace("_", "-"), heading, rows, cells)
    found = listings.page(
        db.session(),
        listing,
        order=asked.get("order", ""),
        after=asked.get("after", ""),
        before=asked.get("before", ""),
    )
    return htmx.render(
        f"admin/{folder}/listing.html", partial=f"admin/{folder}/_listing.html",
        found=found, form=form, listing=listing, address=address, **context,
    )  # fmt: skip


def address(**changes: Any) -> str:
    """This list's address with some of it changed; from its beginning unless a place is given."""
    kept = {name: value for name, value in request.args.items() if name not in PLACE}
    wanted = {**(request.view_args or {}), **kept, **changes}
    return url_for(str(request.endpoint), **{name: value for name, value in wanted.items() if value not in (None, "")})
