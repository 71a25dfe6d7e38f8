"""The audit log's table."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified


class AuditEntry(Identified, Base):
    """One act of a person on a thing; updates and deletes are refused by a trigger."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_subject", "subject_kind", "subject_id"),
        Index("ix_audit_entry_subject_id", "subject_id"),
        Index("ix_audit_entry_happened_at", "happened_at", "id"),
        Index("ix_audit_entry_actor", "actor_id", "happened_at", "id"),
        Index("ix_audit_entry_action", "action", "happened_at", "id", postgresql_ops={"action": "varchar_pattern_ops"}),
    )

    happened_at: Mapped[datetime]
    actor_id: Mapped[UUID | None]  # no foreign key: the log outlives accounts
    action: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    ip_address: Mapped[str] = mapped_column(String(45), default="")
