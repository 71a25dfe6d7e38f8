"""The app templates as this process knows them: read once, checked at load."""

from __future__ import annotations

from functools import lru_cache

from portal.catalog.app_templates import AppTemplate
from portal.catalog.template_files import load_app_templates
from portal.instances.errors import UnknownApp


def app_template(slug: str) -> AppTemplate:
    """The template of a service; raises `UnknownApp` when its file is gone."""
    try:
        return _templates()[slug]
    except KeyError:
        raise UnknownApp(slug=slug) from None


@lru_cache(maxsize=1)
def _templates() -> dict[str, AppTemplate]:
    return load_app_templates()
