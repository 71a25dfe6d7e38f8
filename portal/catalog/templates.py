"""The app templates in effect: those of the files, and in their place or beside them what an operator activated.

Every process reads them once and again when their stamp is another one. The stamp stands beside the switches, which
every page reads anyway, and changes in the transaction that activates a version.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.catalog.app_templates import AppTemplate
from portal.catalog.models import AppTemplateVersion
from portal.catalog.template_files import InvalidTemplate, check_text, load_app_templates
from portal.core import switches
from portal.core.switches import Stamp

log = structlog.get_logger()

_kept: tuple[str, Mapping[str, AppTemplate]] | None = None


def app_templates(session: Session) -> Mapping[str, AppTemplate]:
    """By slug, sorted. A version that an older release took and this one does not leaves the file in its place."""
    global _kept
    stamp = switches.values(session).get(Stamp.APP_TEMPLATES, "")
    if _kept is None or _kept[0] != stamp:
        written = _written(session) if stamp else {}
        _kept = stamp, dict(sorted({**of_files(), **written}.items()))
    return _kept[1]


@lru_cache(maxsize=1)
def of_files() -> Mapping[str, AppTemplate]:
    """The templates of the files alone, as this release has them."""
    return load_app_templates()


def _written(session: Session) -> dict[str, AppTemplate]:
    active = select(AppTemplateVersion.slug, AppTemplateVersion.text).where(AppTemplateVersion.active)
    found = {}
    for slug, text in session.execute(active).tuples():
        try:
            found[slug] = check_text(text, slug=slug)
        except InvalidTemplate as problems:
            log.error("app_template.no_longer_sound", slug=slug, problems=str(problems))
    return found
