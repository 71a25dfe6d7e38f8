"""Pages for visitors, remembered by everything they were rendered from.

Such a page is a function of what was read for it, of its address and of the reader's language and theme: the same
values give the same text, another slot count or price gives another key. So nothing shown is ever old, and nothing
has to be forgotten. Who is signed in, or has a message waiting, gets a page of their own.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from flask import current_app, g, render_template, request, session
from flask_babel import get_locale
from flask_login import current_user

from portal.core import clock
from portal.web.page import banner

PAGES_MAX = 128
REQUEST_FACTS = {"args", "blueprint", "cookies", "endpoint", "full_path"}
COOKIES = {"theme"}
"""What templates may read of the request; `_key` holds each, and a test keeps the templates to it."""

_pages: dict[bytes, str] = {}


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """The page; rendered anew only when one of its inputs is another than before. Inputs are plain values."""
    if current_app.debug or current_user.is_authenticated or "_flashes" in session:
        return render_template(template, **context)
    key = _key(template, context)
    page = _pages.get(key)
    if page is None:
        page = render_template(template, **context)
        if "csrf_token" not in g:  # a form's token belongs to one reader
            _keep(key, page)
    return page


def _keep(key: bytes, page: str) -> None:
    if len(_pages) >= PAGES_MAX:
        _pages.clear()
    _pages[key] = page


def _key(template: str, context: Mapping[str, Any]) -> bytes:
    address = (request.script_root, request.full_path)
    reader = (str(get_locale()), request.cookies.get("theme"))
    return pickle.dumps((template, address, reader, banner(), clock.now().year, dict(context)))
