"""Reads of app templates, for the operator: files, versions written by hand, and who uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import User
from portal.catalog.app_templates import AppTemplate
from portal.catalog.errors import TemplateNotFound
from portal.catalog.models import AppTemplateVersion, Service
from portal.catalog.template_files import APPS_DIRECTORY, InvalidTemplate, Problem
from portal.catalog.templates import app_templates, of_files
from portal.catalog.templating import check
from portal.instances.models import Instance


@dataclass(frozen=True)
class Row:
    """A template as the list shows it. `number` is the version in effect, None: the file; `service` is None while it
    is not in the catalog."""

    slug: str
    template: AppTemplate | None
    number: int | None
    has_file: bool
    service: Any
    apps: int
    problems: list[Problem]


def listing(session: Session) -> list[Row]:
    """Every template there is, by slug; three queries."""
    written = {one.slug: one for one in _in_effect_or_last(session)}
    services = {one.slug: one for one in session.execute(sa.select(Service.slug, Service.name, Service.active))}
    apps = _apps(session)
    in_effect = app_templates(session)
    return [
        Row(
            slug=slug,
            template=in_effect.get(slug),
            number=written[slug].number if slug in written and written[slug].active else None,
            has_file=slug in of_files(),
            service=services.get(slug),
            apps=apps.get(slug, 0),
            problems=_problems(session, written.get(slug)),
        )
        for slug in sorted({*in_effect, *written})
    ]


def _in_effect_or_last(session: Session) -> Sequence[AppTemplateVersion]:
    statement = sa.select(AppTemplateVersion).distinct(AppTemplateVersion.slug)
    ordered = statement.order_by(
        AppTemplateVersion.slug, AppTemplateVersion.active.desc(), AppTemplateVersion.number.desc()
    )
    return session.scalars(ordered.execution_options(populate_existing=True)).all()


def _apps(session: Session) -> dict[str, int]:
    statement = sa.select(Instance.service_slug, sa.func.count()).where(Instance.fenced_at.is_(None))
    return dict(session.execute(statement.group_by(Instance.service_slug)).tuples().all())


def _problems(session: Session, version: AppTemplateVersion | None) -> list[Problem]:
    """Of a version in effect; files are checked when they are read."""
    if version is None or not version.active:
        return []
    return problems(session, version.slug, version.text)


def problems(session: Session, slug: str, text: str) -> list[Problem]:
    """What is wrong with a text; empty when it is sound."""
    try:
        check(session, slug, text)
    except InvalidTemplate as found:
        return found.problems
    return []


def apps_of(session: Session, slug: str) -> int:
    """How many apps of a template there are."""
    return _apps(session).get(slug, 0)


def versions(session: Session, slug: str) -> Sequence[Any]:
    """What was written by hand, the newest first, with who wrote it."""
    statement = (
        sa.select(AppTemplateVersion, User.name)
        .outerjoin(User, User.id == AppTemplateVersion.written_by)
        .where(AppTemplateVersion.slug == slug)
        .order_by(AppTemplateVersion.number.desc())
    )
    return session.execute(statement.execution_options(populate_existing=True)).all()


def version(session: Session, slug: str, number: int) -> AppTemplateVersion:
    """One version; raises `TemplateNotFound`."""
    statement = sa.select(AppTemplateVersion).where(
        AppTemplateVersion.slug == slug, AppTemplateVersion.number == number
    )
    found = session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise TemplateNotFound
    return found


def text_in_effect(session: Session, slug: str) -> str:
    """The YAML of the template in effect; empty for a slug without one."""
    statement = sa.select(AppTemplateVersion.text).where(AppTemplateVersion.slug == slug, AppTemplateVersion.active)
    written = session.scalar(statement)
    if written is not None or slug not in of_files():
        return written or ""
    return (APPS_DIRECTORY / f"{slug}.yaml").read_text(encoding="utf-8")
