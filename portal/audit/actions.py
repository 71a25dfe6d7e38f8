"""Writing the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.audit.models import AuditEntry


def note(
    session: Session,
    action: str,
    *,
    subject_kind: str,
    subject_id: UUID | str,
    now: datetime,
    actor_id: UUID | None = None,
    ip_address: str = "",
    **facts: Any,
) -> None:
    """Appends one entry in the surrounding transaction; facts are ids, codes and figures, never secrets."""
    session.add(
        AuditEntry(
            happened_at=now,
            actor_id=actor_id,
            action=action,
            subject_kind=subject_kind,
            subject_id=str(subject_id),
            facts=facts,
            ip_address=ip_address,
        )
    )


@dataclass(frozen=True)
class Actor:
    """Who does something privileged, and from where."""

    user_id: UUID
    ip_address: str = ""


def changed(
    session: Session,
    actor: Actor | None,
    action: str,
    *,
    subject_kind: str,
    subject_id: UUID | str,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **facts: Any,
) -> None:
    """`note` of a privileged act: what differs between before and after; values must fit JSON, and be no secrets.

    `actor` is None at the operator's console.
    """
    before, after = before or {}, after or {}
    differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    note(
        session,
        action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        actor_id=actor.user_id if actor else None,
        ip_address=actor.ip_address if actor else "",
        now=now,
        before={name: before.get(name) for name in differing},
        after={name: after.get(name) for name in differing},
        **facts,
    )
