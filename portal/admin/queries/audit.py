"""Reads of the audit log, for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from portal.accounts.models import User
from portal.audit.models import AuditEntry
from portal.core.clock import JAKARTA
from portal.core.ids import parse_id
from portal.web.listings import Listing


@dataclass(frozen=True)
class Wanted:
    """What of the log is wanted; None means everything. Days are Jakarta's, both included."""

    actor: str | None = None  # an id, an e-mail address, or part of a name
    action: str | None = None  # a prefix
    subject: str | None = None  # a kind, an id, or `kind:id`
    since: date | None = None
    until: date | None = None
    entry: str | None = None


@dataclass(frozen=True)
class Change:
    """One property that an act changed."""

    name: str
    before: Any
    after: Any


def listing(wanted: Wanted) -> Listing:
    """Entries with the name of who acted, newest first."""
    statement: Any = (
        sa.select(AuditEntry, User.name.label("actor_name"), User.email.label("actor_email"))
        .outerjoin(User, User.id == AuditEntry.actor_id)
        .where(*_conditions(wanted))
    )
    return Listing(statement, AuditEntry.id, {"happened": AuditEntry.happened_at}, default="-happened")


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.actor:
        conditions.append(AuditEntry.actor_id.in_(_people(wanted.actor.strip())))
    if wanted.action:
        conditions.append(AuditEntry.action.startswith(wanted.action.strip(), autoescape=True))
    if wanted.subject:
        conditions.append(_subject(wanted.subject.strip()))
    if wanted.since:
        conditions.append(AuditEntry.happened_at >= _midnight(wanted.since))
    if wanted.until and wanted.until < date.max:
        conditions.append(AuditEntry.happened_at < _midnight(wanted.until + timedelta(days=1)))
    if wanted.entry:
        conditions.append(AuditEntry.id == parse_id(wanted.entry.strip()))
    return conditions


def _people(text: str) -> Any:
    """The ids of those meant: what is no id and no address is part of a name."""
    person = parse_id(text)
    if person is not None:
        return [person]
    named = User.email == text.lower() if "@" in text else User.name.icontains(text, autoescape=True)
    return sa.select(User.id).where(named)


def _subject(text: str) -> Any:
    kind, _, identity = text.partition(":")
    if identity:
        return sa.and_(AuditEntry.subject_kind == kind, AuditEntry.subject_id == identity)
    if parse_id(text) is None:
        return AuditEntry.subject_kind == text
    return AuditEntry.subject_id == text  # an index of its own: an id says by itself what it is of


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, JAKARTA)


def changes(entry: AuditEntry) -> list[Change]:
    """What differs before and after, property by property."""
    before, after = _named(entry.facts.get("before")), _named(entry.facts.get("after"))
    return [Change(name, before.get(name), after.get(name)) for name in {**before, **after}]


def other_facts(entry: AuditEntry) -> dict[str, Any]:
    """What else was noted: a reason, a count."""
    return {name: value for name, value in entry.facts.items() if name not in ("before", "after")}


def _named(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
