"""`/dev/mails`: what every mail looks like, with sample figures. Not in production."""

from __future__ import annotations

from flask import Blueprint, Response, request

from config import settings
from portal.core.errors import NotFound
from portal.core.ids import new_id
from portal.notices import letters, unsubscribing, wording
from portal.notices.wording.categories import OPTIONAL, Category, category_of
from portal.web import htmx
from portal.web.guards import anyone
from portal.web.languages import DEFAULT

blueprint = Blueprint("samples", __name__)


@blueprint.get("/mails")
@anyone
def listing() -> Response:
    """Every mail there is, by category, with links to both forms in both languages."""
    _only_while_developing()
    by_category: dict[Category, dict[str, wording.Said]] = {category: {} for category in Category}
    for code, known in wording.WORDINGS.items():
        by_category[category_of(code)][code] = wording.word(code, dict(known.sample))
    return htmx.render("notices/samples.html", by_category=by_category)


@blueprint.get("/mails/<code>")
@anyone
def mail(code: str) -> Response:
    """One mail as its reader sees it: HTML, or `?form=text`; `?language=en`."""
    _only_while_developing()
    if code not in wording.WORDINGS:
        raise NotFound
    words = _sample(code, request.args.get("language", DEFAULT))
    if request.args.get("form") == "text":
        return Response(f"{words.subject}\n\n{words.text}", mimetype="text/plain")
    response = Response(words.html, mimetype="text/html")
    # A mail's styles stand in its tags; the page shows nothing but our own samples.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _sample(code: str, language: str) -> letters.Words:
    known = wording.WORDINGS[code]
    stop = unsubscribing.address(new_id(), category_of(code)) if category_of(code) in OPTIONAL else None
    return letters.word(code, {"recipient": "Ayu Lestari", **known.sample}, language=language, unsubscribe=stop)


def _only_while_developing() -> None:
    if settings().production:
        raise NotFound
