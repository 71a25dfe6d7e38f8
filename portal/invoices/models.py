"""Documents, their lines, and the counters that number them without a gap."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Identified


class Series(StrEnum):
    """A numbering series; each runs gapless per year."""

    RECEIPT = "RECEIPT"
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


NUMBER_PREFIX: dict[str, str] = {Series.RECEIPT: "RCP", Series.INVOICE: "INV", Series.CREDIT_NOTE: "CN"}


class DocumentStatus(StrEnum):
    DRAFT = "DRAFT"  # made by the sale, not numbered yet
    ISSUED = "ISSUED"
    VOID = "VOID"


class DocumentSeries(Base):
    """The last number given in a series and year; its row lock makes numbers gapless."""

    __tablename__ = "document_series"

    series: Mapped[str] = mapped_column(String(20), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(default=0)


class Document(Identified, Base):
    """A receipt, invoice or credit note. Amounts are whole rupiah; `total = net + ppn`, prices include PPN.

    Seller, buyer, rate and language are kept as they were, so that a reprint says what the original said.
    `pdf` is filled by the rendering job; `pdf_error` says why there is none, and no money depends on either.
    """

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("series", "year", "number"),
        UniqueConstraint("reference_kind", "reference_id", "series"),
        Index("ix_document_customer_id_created_at", "customer_id", "created_at"),
        Index("ix_document_created_at", "created_at", "id"),
        Index("ix_document_series_created_at", "series", "created_at", "id"),
        Index("ix_document_total", "total", "id"),
        Index("ix_document_issued_at", "issued_at"),
        Index("ix_document_corrects_id", "corrects_id", postgresql_where=text("corrects_id IS NOT NULL")),
        CheckConstraint("net + ppn = total", name="sums"),
        CheckConstraint("(status = 'DRAFT') = (number IS NULL)", name="issued_is_numbered"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    series: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(10), default=DocumentStatus.DRAFT)
    year: Mapped[int | None]
    number: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    net: Mapped[int]
    ppn: Mapped[int]
    total: Mapped[int]
    ppn_rate_percent: Mapped[int] = mapped_column(default=0)
    ppn_base: Mapped[int] = mapped_column(default=0)  # DPP nilai lain
    ppn_base_numerator: Mapped[int] = mapped_column(default=1)  # ppn_base = net x numerator / denominator
    ppn_base_denominator: Mapped[int] = mapped_column(default=1)
    seller: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # name, address, npwp, email, brand
    buyer: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # name, email, number, address, npwp
    language: Mapped[str] = mapped_column(String(5), default="id")  # of the PDF
    reference_kind: Mapped[str] = mapped_column(String(30))  # payment_attempt | subscription_charge | …
    reference_id: Mapped[UUID]
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("document.id"))
    tax_invoice_number: Mapped[str | None] = mapped_column(String(20))  # NSFP, assigned by Coretax, filled later
    created_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    pdf: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    pdf_asked_at: Mapped[datetime | None]
    pdf_rendered_at: Mapped[datetime | None]
    pdf_error: Mapped[str | None] = mapped_column(String(200))

    lines: Mapped[list[DocumentLine]] = relationship(lazy="raise", order_by="DocumentLine.position")
    corrects: Mapped[Document | None] = relationship(lazy="raise", remote_side="Document.id")

    @property
    def label(self) -> str:
        """`INV/2026/000123`; a draft has none yet."""
        return f"{NUMBER_PREFIX[self.series]}/{self.year}/{self.number:06d}" if self.number else ""

    @property
    def filename(self) -> str:
        """`INV-2026-000123.pdf`."""
        return f"{self.label.replace('/', '-')}.pdf"

    @property
    def issued(self) -> bool:
        return self.status == DocumentStatus.ISSUED


class DocumentLine(Identified, Base):
    """One line: a code worded when shown, and what it costs in all, PPN included."""

    __tablename__ = "document_line"
    __table_args__ = (UniqueConstraint("document_id", "position"),)

    document_id: Mapped[UUID] = mapped_column(ForeignKey("document.id"))
    position: Mapped[int]
    code: Mapped[str] = mapped_column(String(60))  # worded when shown
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    quantity: Mapped[int] = mapped_column(default=1)
    amount: Mapped[int]  # whole rupiah for the line, PPN included
