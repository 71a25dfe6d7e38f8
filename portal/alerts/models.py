"""The table of alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified


class Alert(Identified, Base):
    """One thing that is not well, from its first sighting to its end; at most one is open per code and key.

    It counts as open once it has lasted as long as its rule asks: until then `opened_at` is empty and nobody hears
    of it. `about` names what it is about, so that more of the same is told again and the same is not.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_open", "code", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index("ix_alert_first_seen_at", "first_seen_at", "id"),
        Index("ix_alert_code", "code", "key", "closed_at"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged"),
        CheckConstraint("closed_at IS NULL OR opened_at IS NOT NULL", name="closed_after_opened"),
    )

    code: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(120), default="")
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    about: Mapped[list[str]] = mapped_column(JSONB, default=list)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]  # when people last heard of it
    tellings: Mapped[int] = mapped_column(default=0)
    returns: Mapped[int] = mapped_column(default=0)  # how often it came back soon after it was over
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    webhook_error: Mapped[str | None] = mapped_column(String(300))
