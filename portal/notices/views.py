"""Pages of notices: what the customer was told; and, while developing, what every mail looks like."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import gettext as _

from config import settings
from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.notices import actions, letters, queries, wording
from portal.web import htmx
from portal.web.guards import anyone, customer
from portal.web.languages import DEFAULT

blueprint = Blueprint("notices", __name__)
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


@blueprint.get("/mails")
@anyone
def mails() -> Response:
    """Every mail there is, with sample figures; not in production."""
    _only_while_developing()
    samples = {code: wording.word(code, dict(known.sample)) for code, known in wording.WORDINGS.items()}
    return htmx.render("notices/mails.html", samples=samples)


@blueprint.get("/mails/<code>")
@anyone
def mail(code: str) -> Response:
    """One mail as its reader sees it: HTML, or `?form=text`; `?language=en`."""
    _only_while_developing()
    if code not in wording.WORDINGS:
        raise NotFound
    words = _sample(code, request.args.get("language", DEFAULT))
    if request.args.get("form") == "text":
        return Response(words.text, mimetype="text/plain")
    response = Response(words.html, mimetype="text/html")
    # A mail's styles stand in its tags; the page shows nothing but our own samples.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _sample(code: str, language: str) -> letters.Words:
    parameters: dict[str, Any] = {"recipient": "Ayu Lestari", **wording.WORDINGS[code].sample}
    return letters.word(code, parameters, language=language)


def _only_while_developing() -> None:
    if settings().production:
        raise NotFound
