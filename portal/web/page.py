"""What every page shows around its own content, gathered in as few queries as the page budget allows."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request, url_for
from flask_babel import get_locale
from flask_login import current_user

from config import settings
from portal.core import clock, switches
from portal.core.db import db
from portal.web.languages import LANGUAGES


def register(app: Flask) -> None:
    """Makes the page frame's values known to templates."""
    app.context_processor(frame)


def frame() -> dict[str, Any]:
    """`frame` in templates: brand, languages, banner, and the signed-in customer's chip."""
    return {
        "options": settings(),
        "language": str(get_locale() or "id"),
        "languages": LANGUAGES,
        "now": clock.now(),
        "banner": banner,
        "chip": chip,
        "same_page_in": same_page_in,
    }


def banner() -> str:
    """The operator's incident banner; empty when there is none."""
    if "banner" not in g:
        g.banner = switches.value(db.session(), switches.Switch.BANNER)
    return g.banner


def chip() -> Any:
    """Balance and unread notices of the signed-in customer; None for visitors."""
    if "chip" not in g:
        from portal.dashboard import queries

        g.chip = queries.chip(db.session(), current_user) if current_user.is_authenticated else None
    return g.chip


def same_page_in(language: str) -> str:
    """Where the language switch leads: back to this page, in that language."""
    return url_for("web.choose_language", language=language, next=request.full_path.rstrip("?"))
