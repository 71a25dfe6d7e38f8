"""Writing the audit log."""

from __future__ import annotations

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
