"""Pages for visitors, remembered until what they show has changed.

Such a page is a function of the rows read for it, of its address and of the reader's language and theme. A stamp, one
cheap read that is another value after every change of those rows, tells whether the page of last time still holds: so
nothing shown is ever old, and nothing has to be forgotten. Who is signed in, or has a message waiting, gets a page of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from flask import current_app, g, render_template, request, session
from flask_babel import get_locale
from flask_login import current_user

from portal.core import clock

PAGES_MAX = 128
REQUEST_FACTS = {"args", "blueprint", "cookies", "endpoint", "full_path", "path"}
COOKIES = {"theme"}
"""What templates may read of the request; `_key` holds each, and a test keeps the templates to it."""

_pages: dict[Hashable, str] = {}


def rendered(template: str, *, stamp: Callable[[], Hashable], inputs: Callable[[], dict[str, Any]]) -> str:
    """The page; `inputs` are read and rendered only when the stamp, the address or the reader's choices are new."""
    if current_app.debug or current_user.is_authenticated or "_flashes" in session:
        return render_template(template, **inputs())
    key = _key(template, stamp())
    page = _pages.get(key)
    if page is None:
        page = render_template(template, **inputs())
        if "csrf_token" not in g:  # a form's token belongs to one reader
            _keep(key, page)
    return page


def _key(template: str, stamp: Hashable) -> Hashable:
    address = (request.script_root, request.full_path)
    reader = (str(get_locale()), request.cookies.get("theme"))
    return template, stamp, address, reader, clock.now().year


def _keep(key: Hashable, page: str) -> None:
    if len(_pages) >= PAGES_MAX:
        _pages.clear()
    _pages[key] = page
