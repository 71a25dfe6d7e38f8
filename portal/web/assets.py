"""Static files by content: each address carries a hash, so that browsers may keep it for a year."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, url_for
from markupsafe import Markup


def register(app: Flask) -> None:
    """Adds the hash to every static address and `icon()` to templates."""

    @app.url_defaults
    def add_hash(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values and "v" not in values:
            values["v"] = _hash(str(current_app.static_folder), values["filename"])

    app.jinja_env.globals["icon"] = icon


def icon(name: str, label: str | None = None) -> Markup:
    """One of the icons in static/vendor/icons.svg; decorative unless it has a label."""
    href = f"{url_for('static', filename='vendor/icons.svg')}#{name}"
    if label is None:
        return Markup('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>').format(href)
    return Markup('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>').format(label, href)


@lru_cache(maxsize=512)
def _hash(folder: str, filename: str) -> str:
    path = Path(folder) / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else "missing"
