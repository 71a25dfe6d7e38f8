"""The list of notices, and reading them."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, request, url_for
from flask_babel import gettext as _

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import actions, queries, wording
from portal.notices.views import blueprint
from portal.web import htmx
from portal.web.guards import customer

PAGE_MAX = 100_000


@blueprint.get("/")
@customer
def listing() -> Response:
    """The customer's notices, newest first, in the reader's language."""
    number = min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    listed = queries.notice_page(db.session(), current_customer().id, number=number)
    said = {notice.id: wording.word(notice.code, notice.parameters) for notice in listed.notices}
    return htmx.render("notices/listing.html", partial="notices/_list.html", listed=listed, said=said)


@blueprint.post("/reading")
@customer
def read_all() -> Response:
    """Marks everything as read."""
    with transaction() as session:
        actions.read_all(session, customer_id=current_customer().id, now=clock.now())
    flash(_("Everything is marked as read."), "success")
    return htmx.leave_for(url_for("notices.listing"))


@blueprint.post("/<uuid:notice_id>/reading")
@customer
def read(notice_id: UUID) -> Response:
    """Marks one as read and leads to what it is about; without such a page, back to the list."""
    with transaction() as session:
        notice = actions.read(session, notice_id, customer_id=current_customer().id, now=clock.now())
    said = wording.word(notice.code, notice.parameters)
    return htmx.leave_for(said.path or url_for("notices.listing"))
