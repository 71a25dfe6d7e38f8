"""Pages of web: home, help, status, the language and theme switches, and what browsers and robots ask for."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, make_response, redirect, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from config import settings
from portal.catalog import queries as catalog
from portal.core import switches
from portal.core.db import db
from portal.payments.rules import offered
from portal.web import htmx, languages, states
from portal.web.guards import anyone

blueprint = Blueprint("web", __name__)
blueprint.add_app_template_global(states.shown, "shown")

THEMES = ("light", "dark", "auto")
A_YEAR_S = 31_536_000


@blueprint.app_template_filter()
def localized(texts: dict[str, str]) -> str:
    """A text kept by language, in the reader's; English where a translation is missing."""
    return texts.get(str(get_locale())) or texts.get("en", "")


@blueprint.get("/")
@anyone
def home() -> Response:
    """What this is, for people who have never seen it."""
    session = db.session()
    return htmx.render_shared(
        "web/home.html",
        stamp=lambda: catalog.stamp(session),
        inputs=lambda: {"featured": catalog.featured(session)},
    )


@blueprint.get("/help")
@anyone
def help() -> Response:
    """How credit, top-ups and refunds work, and whom to ask."""
    return htmx.render("web/help.html", methods=offered(bank_transfer=bool(settings().bank_accounts)))


@blueprint.get("/status")
@anyone
def status() -> Response:
    """What works, by the operational switches, and the operator's own words."""
    on, read_only = switches.values(db.session()), switches.Switch.READ_ONLY
    parts = [
        (_("Portal and sign-in"), True),
        (_("Top-ups"), not {switches.Switch.NO_TOP_UPS, read_only} & on.keys()),
        (_("Setting up new apps"), not {switches.Switch.NO_PROVISIONING, read_only} & on.keys()),
        (_("Changing anything else"), read_only not in on),
    ]
    return htmx.render("web/status.html", parts=parts)


@blueprint.get("/language/<language>")
@anyone
def choose_language(language: str) -> Response:
    """Remembers a visitor's language in a cookie; a signed-in user's own preference is on their profile."""
    if language not in languages.LANGUAGES:
        abort(404)
    return _remember(languages.COOKIE, language)


@blueprint.get("/theme/<theme>")
@anyone
def choose_theme(theme: str) -> Response:
    """Remembers light, dark, or as the device says."""
    if theme not in THEMES:
        abort(404)
    return _remember("theme", theme)


def _remember(cookie: str, value: str) -> Response:
    response = make_response(redirect(_own_page(request.args.get("next", "")), code=303))
    response.set_cookie(cookie, value, max_age=A_YEAR_S, samesite="Lax", secure=settings().secure_cookies, path="/")
    return response


def _own_page(wanted: str) -> str:
    """`wanted` when it is a path of this site, the home page otherwise: no open redirect."""
    parts = urlsplit(wanted.replace("\\", "/")) if wanted.isprintable() else None
    if parts is None or parts.scheme or parts.netloc or not parts.path.startswith("/"):
        return url_for("web.home")
    return wanted if not wanted.startswith(("//", "/\\", "/language/", "/theme/")) else url_for("web.home")


@blueprint.get("/robots.txt")
@anyone
def robots() -> Response:
    """Robots may read what visitors may."""
    lines = ["User-agent: *", "Disallow: /dashboard/", "Disallow: /top-ups/", "Disallow: /language/"]
    lines.append(f"Sitemap: {settings().public_url}{url_for('web.sitemap')}")
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


@blueprint.get("/sitemap.xml")
@anyone
def sitemap() -> Response:
    """The public pages, for search engines."""
    paths = [url_for(endpoint) for endpoint in ("web.home", "catalog.index", "web.help", "web.status")]
    paths += [url_for("catalog.service", slug=slug) for slug in catalog.slugs(db.session())]
    response = htmx.render("web/sitemap.xml", paths=paths)
    response.mimetype = "application/xml"
    return response


@blueprint.get("/favicon.ico")
@anyone
def favicon() -> Response:
    """For browsers that ask for it unprompted."""
    return current_app.send_static_file("img/favicon.ico")
