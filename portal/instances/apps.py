"""The app templates as instances need them: those in effect now."""

from __future__ import annotations

from portal.catalog.app_templates import AppTemplate
from portal.catalog.templates import app_templates
from portal.core.db import db
from portal.instances.errors import UnknownApp


def app_template(slug: str) -> AppTemplate:
    """The template of a service; raises `UnknownApp` when there is none any more."""
    try:
        return app_templates(db.session())[slug]
    except KeyError:
        raise UnknownApp(slug=slug) from None
