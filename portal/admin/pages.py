"""Which pages this build of the portal has, and the page of a thing: sections link to each other through here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, url_for


def has_page(endpoint: str) -> bool:
    """Does this build have the page?"""
    return endpoint in current_app.view_functions


def page_of(blueprint: str, thing_id: UUID) -> str | None:
    """The address of `<blueprint>.show` for a thing, whatever it calls its argument; None when there is none."""
    endpoint = f"{blueprint}.show"
    if not has_page(endpoint):
        return None
    names = [name for rule in current_app.url_map.iter_rules(endpoint) for name in rule.arguments]
    values: dict[str, Any] = dict.fromkeys(names, thing_id)
    return url_for(endpoint, **values) if len(values) == 1 else None
