"""What was taken over, row by row, and the invoices of the time before."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.crypto import EncryptedText
from portal.core.db import Base, Identified
from portal.core.money import Money


class ImportKind(StrEnum):
    """One file each, in the order in which they are taken."""

    USERS = "USERS"
    BALANCES = "BALANCES"
    SUBSCRIPTIONS = "SUBSCRIPTIONS"
    INVOICES = "INVOICES"


class ImportRecord(Identified, Base):
    """A row that was taken over, once under its `external_id`; `subject_id` is what it became.

    The digest is encrypted: a row of which all but a phone number is known could be guessed back from it.
    """

    __tablename__ = "import_record"
    __table_args__ = (
        UniqueConstraint("kind", "external_id"),
        Index("ix_import_record_uninvited", "id", postgresql_where=text("invite AND invited_at IS NULL")),
        CheckConstraint("NOT invite OR kind = 'USERS'", name="users_are_invited"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str] = mapped_column(String(50))
    subject_id: Mapped[UUID]  # user, customer (whose wallet), subscription or historical invoice
    digest: Mapped[str] = mapped_column(EncryptedText)
    file_name: Mapped[str] = mapped_column(String(200))
    imported_at: Mapped[datetime]
    invite: Mapped[bool] = mapped_column(default=False)  # a user who was made here and has no password yet
    invited_at: Mapped[datetime | None]


class HistoricalStatus(StrEnum):
    """How the old system left an invoice."""

    PAID = "PAID"
    UNPAID = "UNPAID"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"


class HistoricalInvoice(Identified, Base):
    """A document of the old system, kept for reading: not of our numbering, and not in the books."""

    __tablename__ = "historical_invoice"
    __table_args__ = (
        Index("ix_historical_invoice_customer_id_issued_on", "customer_id", "issued_on"),
        UniqueConstraint("customer_id", "number"),
        CheckConstraint("total >= 0", name="total"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    number: Mapped[str] = mapped_column(String(60))
    issued_on: Mapped[date]
    description: Mapped[str] = mapped_column(String(300))
    total: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    status: Mapped[str] = mapped_column(String(10))
    has_pdf: Mapped[bool] = mapped_column(default=False)
    pdf: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    imported_at: Mapped[datetime]

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def filename(self) -> str:
        """The number with nothing in it that a file system minds."""
        kept = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in self.number)
        return f"{kept.strip('-') or self.id}.pdf"
