"""App templates as an operator writes them: kept as versions, one of which may stand in the place of the file.

Running apps keep the images they are pinned to and are offered the update; what else a template says of them reaches
them with the next comparison of the cluster, as after a deployment.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.catalog import syncing, templates
from portal.catalog.app_templates import AppTemplate
from portal.catalog.errors import NoTemplateLeft, TemplateNotFound
from portal.catalog.models import AppTemplateVersion, Category
from portal.catalog.template_files import check_text, load_categories
from portal.core import switches
from portal.core.ids import new_id
from portal.core.switches import Stamp

TEXT_LENGTH_MAX = 64 * 1024


def check(session: Session, slug: str, words: str) -> AppTemplate:
    """The template that the text describes, by the very checks of the files; `InvalidTemplate` names every line."""
    shelves = {category.slug for category in load_categories()} | set(session.scalars(select(Category.slug)))
    return check_text(words, slug=slug, categories=shelves)


def write(session: Session, slug: str, words: str, *, comment: str, actor: Actor, now: datetime) -> AppTemplateVersion:
    """Keeps a sound text as the next version, in effect for nobody yet; the same text again is the same version.

    Raises `InvalidTemplate`.
    """
    check(session, slug, words)
    _one_at_a_time(session)
    last = session.scalar(_of(slug).order_by(AppTemplateVersion.number.desc()).limit(1))
    if last is not None and last.text == words:
        return last
    version = AppTemplateVersion(
        id=new_id(), slug=slug, number=(last.number if last else 0) + 1, text=words, comment=comment,
        written_by=actor.user_id, written_at=now, active=False,
    )  # fmt: skip
    session.add(version)
    session.flush()
    _note(session, actor, "app_template.written", slug, None, version.number, now=now, comment=comment)
    return version


def activate(session: Session, slug: str, number: int, *, actor: Actor, now: datetime) -> AppTemplate:
    """Puts a version into effect, in every process with its next transaction. A repeat changes nothing.

    Its service in the catalog is brought to it, as by a sync. Raises `TemplateNotFound`, `InvalidTemplate` for one
    that is no longer sound.
    """
    _one_at_a_time(session)
    version = session.scalar(_of(slug).where(AppTemplateVersion.number == number))
    if version is None:
        raise TemplateNotFound
    template = check(session, slug, version.text)
    if not version.active:
        before = _deactivate(session, slug)
        version.active = True
        session.flush()
        _put_into_effect(session, template, now=now)
        _note(session, actor, "app_template.activated", slug, before, number, now=now)
    return template


def take_back(session: Session, slug: str, *, actor: Actor, now: datetime) -> AppTemplate:
    """Back to the file. A repeat changes nothing. Raises `NoTemplateLeft` when there is no file of that slug."""
    _one_at_a_time(session)
    template = templates.of_files().get(slug)
    if template is None:
        raise NoTemplateLeft
    before = _deactivate(session, slug)
    if before is not None:
        _put_into_effect(session, template, now=now)
        _note(session, actor, "app_template.taken_back", slug, before, None, now=now)
    return template


def _put_into_effect(session: Session, template: AppTemplate, *, now: datetime) -> None:
    switches.set_value(session, Stamp.APP_TEMPLATES, str(new_id()), now=now)
    syncing.refresh(session, template, now=now)


def _deactivate(session: Session, slug: str) -> int | None:
    """The number of the version that was in effect; None when it was the file."""
    active = update(AppTemplateVersion).where(AppTemplateVersion.slug == slug, AppTemplateVersion.active)
    statement = active.values(active=False).returning(AppTemplateVersion.number)
    number = session.scalar(statement.execution_options(synchronize_session="fetch"))
    session.flush()
    return number


def _of(slug: str):  # type: ignore[no-untyped-def]
    statement = select(AppTemplateVersion).where(AppTemplateVersion.slug == slug)
    return statement.execution_options(populate_existing=True)


def _one_at_a_time(session: Session) -> None:
    """Two who write or activate at once do so one after the other: numbers have no gap, and one version is active."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('app_template'))"))


def _note(
    session: Session, actor: Actor, action: str, slug: str, before: int | None, after: int | None,
    *, now: datetime, comment: str = "",
) -> None:  # fmt: skip
    audit.changed(
        session, actor, action, subject_kind="app_template", subject_id=slug, now=now,
        before={"version": before}, after={"version": after}, comment=comment,
    )  # fmt: skip
