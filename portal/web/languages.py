"""Which language a reader gets: their own choice, then the cookie, then the browser's; Indonesian otherwise."""

from __future__ import annotations

from flask import has_request_context, request
from flask_login import current_user

LANGUAGES = {"id": "Bahasa Indonesia", "en": "English"}
DEFAULT = "id"
COOKIE = "language"


def chosen() -> str:
    """`id` or `en`, for the request at hand."""
    if not has_request_context():
        return DEFAULT
    own = getattr(current_user, "language", None) if current_user else None
    cookie = request.cookies.get(COOKIE)
    for candidate in (own, cookie):
        if candidate in LANGUAGES:
            return candidate
    return request.accept_languages.best_match(list(LANGUAGES), DEFAULT) or DEFAULT
