"""Notices and the mails that carry them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified


class MailStatus(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class Notice(Identified, Base):
    """Something a customer was told. `unique_key` keeps anybody from being told twice."""

    __tablename__ = "notice"
    __table_args__ = (
        Index("ix_notice_customer_id_created_at", "customer_id", "created_at"),
        Index("ix_notice_unread", "customer_id", postgresql_where=text("read_at IS NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    code: Mapped[str] = mapped_column(String(60))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    unique_key: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class Mail(Identified, Base):
    """One mail to one address, worded in `language` when it is sent, with its delivery state.

    `secret_parameters` (one-time links) are encrypted and erased once the mail has left.
    """

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_customer_id", "customer_id"),
        Index("ix_mail_document_id", "document_id", postgresql_where=text("document_id IS NOT NULL")),
        Index("ix_mail_user_id_created_at", "user_id", "created_at"),
        Index("ix_mail_to_address", "to_address", "created_at", postgresql_where=text("user_id IS NULL")),
    )

    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # who reads it, where we know them
    to_address: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(5), default="id")
    code: Mapped[str] = mapped_column(String(60))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    secret_parameters: Mapped[str | None] = mapped_column(Text)
    document_id: Mapped[UUID | None]  # a PDF to attach; invoices are a higher package, so no foreign key
    unique_key: Mapped[str] = mapped_column(String(200), unique=True)
    status: Mapped[str] = mapped_column(String(10), default=MailStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class MailPreference(Base):
    """A kind of mail that a user does not want. Mails about money and security are not in question."""

    __tablename__ = "mail_preference"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    category: Mapped[str] = mapped_column(String(20), primary_key=True)
    declined_at: Mapped[datetime]
