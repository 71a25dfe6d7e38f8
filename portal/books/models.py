"""What the daily reconciliation found: our payments, the gateway's word and the ledger, side by side."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified


class Reconciliation(Base):
    """One day's comparison (Jakarta); a later run of the same day replaces its figures."""

    __tablename__ = "reconciliation"

    day: Mapped[date] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # counts and sums of the three sides


class BooksDifference(Identified, Base):
    """A difference that a person must look at; open until a later run does not find it any more. Never mended here."""

    __tablename__ = "books_difference"
    __table_args__ = (
        Index(
            "uq_books_difference_open", "check", "reference", unique=True, postgresql_where=text("resolved_at IS NULL")
        ),
    )

    check: Mapped[str] = mapped_column(String(60))
    reference: Mapped[str] = mapped_column(String(120))  # which row, order or entry
    found: Mapped[str] = mapped_column(Text)  # what each side says
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    told_at: Mapped[datetime | None]  # when the operator was mailed about it: once
    resolved_at: Mapped[datetime | None]
    explained_at: Mapped[datetime | None]  # a person found its cause; it stays open until it is gone
    explained_by: Mapped[UUID | None]  # no foreign key: what was written outlives accounts
    explanation: Mapped[str | None] = mapped_column(Text)


class BooksAudit(Identified, Base):
    """One run of the audit: how many differences each check found. Asked for by the clock, or by a person."""

    __tablename__ = "books_audit"
    __table_args__ = (Index("ix_books_audit_asked_at", "asked_at"),)

    asked_at: Mapped[datetime]
    asked_by: Mapped[UUID | None]  # None: the clock
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    results: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)  # differences by check; empty until it ended
    heads: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # accounts, postings, the hash of all heads

    @property
    def found(self) -> int:
        """How many differences there were."""
        return sum(self.results.values())
