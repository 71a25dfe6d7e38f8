"""Static files by content: each address carries a hash, so that browsers may keep it for a year.

A page names dozens of them, and no address changes while a process lives: each is worked out once. They are answered
before Flask is asked, in the compressed copies that `python -m whitenoise.compress` laid beside them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from flask import Flask, current_app, has_request_context, request, url_for
from markupsafe import Markup
from whitenoise import WhiteNoise

from config import settings
from portal.web import security


def register(app: Flask) -> None:
    """Serves the files, adds the hash to every static address and `icon()` to templates."""
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=app.static_folder,
        prefix="static",
        max_age=app.config["SEND_FILE_MAX_AGE_DEFAULT"],
        allow_all_origins=False,
        autorefresh=not settings().production,
        add_headers_function=_armour,
    )

    @app.url_defaults
    def add_hash(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values and "v" not in values:
            values["v"] = _hash(str(current_app.static_folder), values["filename"])

    app.jinja_env.globals["icon"] = icon
    app.jinja_env.globals["url_for"] = address


def _armour(headers: Headers, _path: str, _url: str) -> None:
    for name, value in security.armour({}).items():
        headers.setdefault(name, value)


def address(endpoint: str, **values: Any) -> str:
    """`url_for`, as templates call it."""
    if endpoint == "static" and has_request_context() and not values.keys() - {"filename", "v"}:
        return _static_address(request.script_root, **values)
    return url_for(endpoint, **values)


@lru_cache(maxsize=512)
def _static_address(_mounted_at: str, **values: Any) -> str:
    return url_for("static", **values)


def icon(name: str, label: str | None = None) -> Markup:
    """One of the icons in static/vendor/icons.svg; decorative unless it has a label."""
    return _icon(f"{address('static', filename='vendor/icons.svg')}#{name}", None if label is None else str(label))


@lru_cache(maxsize=512)
def _icon(href: str, label: str | None) -> Markup:
    if label is None:
        return Markup('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>').format(href)
    return Markup('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>').format(label, href)


@lru_cache(maxsize=512)
def _hash(folder: str, filename: str) -> str:
    path = Path(folder) / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else "missing"
