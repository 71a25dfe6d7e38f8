"""What every page shows around its own content, gathered in as few queries as the page budget allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, g, request, url_for
from flask_babel import get_locale
from flask_login import current_user

from config import settings
from portal.core import clock, switches
from portal.core.db import db
from portal.core.switches import Switch
from portal.web.languages import LANGUAGES

HOLDING_BACK = (Switch.READ_ONLY, Switch.NO_TOP_UPS, Switch.NO_PROVISIONING)


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
        "held_back": held_back,
        "chip": chip,
        "same_page_in": same_page_in,
    }


def banner() -> str:
    """The operator's incident banner; empty when there is none."""
    return _switches().get(Switch.BANNER, "")


def held_back() -> list[Switch]:
    """The switches that hold customers back right now, the gravest alone when it holds back everything."""
    on = [switch for switch in HOLDING_BACK if _switches().get(switch)]
    return on[:1] if Switch.READ_ONLY in on else on


def _switches() -> Mapping[str, str]:
    if "switches" not in g:
        g.switches = switches.values(db.session())
    return g.switches


def chip() -> Any:
    """Balance and unread notices of the signed-in customer; None for visitors."""
    if "chip" not in g:
        from portal.dashboard import queries

        g.chip = queries.chip(db.session(), current_user) if current_user.is_authenticated else None
    return g.chip


def same_page_in(language: str) -> str:
    """Where the language switch leads: back to this page, in that language."""
    return url_for("web.choose_language", language=language, next=request.full_path.rstrip("?"))
