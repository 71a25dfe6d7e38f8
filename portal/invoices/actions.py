"""Verbs of documents: draft with the sale, issue with a number, keep the PDF.

A sale only makes a draft, so no counter is hot while money moves; the issuing job numbers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from config import Settings, settings
from portal.accounts.models import Customer, Membership, MembershipRole, User
from portal.accounts.rules import format_npwp
from portal.core import clock, outbox
from portal.core.ids import new_id
from portal.core.outbox import Work
from portal.core.rows import among, insert_all
from portal.invoices import rules
from portal.invoices.models import Document, DocumentLine, DocumentSeries, DocumentStatus, Series
from portal.invoices.rules import Parts

ASK_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class Line:
    """What a line says (a code of `invoices.wording`) and costs: whole rupiah for the line, PPN included."""

    code: str
    parameters: dict[str, Any] = field(default_factory=dict)
    amount: int = 0
    quantity: int = 1


def split_price(total: int) -> Parts:
    """The PPN contained in `total` by the present settings: what the books set aside and invoices show."""
    options = settings()
    return rules.split(
        total,
        rate_percent=options.ppn_rate_percent,
        base_numerator=options.ppn_base_numerator,
        base_denominator=options.ppn_base_denominator,
    )


@dataclass(frozen=True)
class Sale:
    """What a document will be about: a sale, a deposit or a refund of a customer, and its lines."""

    customer_id: UUID
    series: Series
    reference_kind: str
    reference_id: UUID
    lines: Sequence[Line]
    corrects_id: UUID | None = None

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)


def draft(
    session: Session,
    *,
    customer_id: UUID,
    series: Series,
    reference_kind: str,
    reference_id: UUID,
    lines: list[Line],
    now: datetime,
    corrects_id: UUID | None = None,
) -> Document:
    """`draft_all` for one sale; returns its document, on a repeat the first one unchanged."""
    draft_all(session, [Sale(customer_id, series, reference_kind, reference_id, lines, corrects_id)], now=now)
    return _of_reference(session, reference_kind, reference_id, series)


def draft_all(session: Session, sales: Sequence[Sale], *, now: datetime) -> int:
    """Unnumbered documents, and the queued jobs that issue them; returns how many are new.

    A sale whose reference has a document of its series already is left out, under concurrency too.
    A receipt carries no PPN; an invoice the present rate; a credit note the rate of the invoice it corrects.
    """
    if not sales:
        return 0
    buyers = _buyers(session, {sale.customer_id for sale in sales})
    seller = _seller(settings())
    rows = [_document_row(session, sale, seller, buyers[sale.customer_id], now) for sale in sales]
    new = insert_all(session, Document, rows, once_by=("reference_kind", "reference_id", "series"))
    drafted = [(row["id"], sale) for row, sale in zip(rows, sales, strict=True) if row["id"] in new]
    insert_all(session, DocumentLine, [row for pair in drafted for row in _line_rows(*pair)])
    outbox.enqueue_all(session, [Work("invoices.issue", {"document_id": document_id}) for document_id, _ in drafted])
    return len(drafted)


def _document_row(
    session: Session, sale: Sale, seller: dict[str, str], buyer: dict[str, Any], now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "customer_id": sale.customer_id,
        "series": sale.series,
        "status": DocumentStatus.DRAFT,
        "currency": "IDR",
        "total": sale.total,
        "reference_kind": sale.reference_kind,
        "reference_id": sale.reference_id,
        "corrects_id": sale.corrects_id,
        "created_at": now,
        "seller": seller,
        **buyer,
        **_tax(session, sale.series, sale.total, sale.corrects_id),
    }


def _of_reference(session: Session, kind: str, reference_id: UUID, series: Series) -> Document:
    return session.scalars(
        select(Document).where(
            Document.reference_kind == kind, Document.reference_id == reference_id, Document.series == series
        )
    ).one()


def _line_rows(document_id: UUID, sale: Sale) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "document_id": document_id,
            "position": position,
            "code": line.code,
            "parameters": line.parameters,
            "quantity": line.quantity,
            "amount": line.amount,
        }
        for position, line in enumerate(sale.lines, start=1)
    ]


def _seller(options: Settings) -> dict[str, str]:
    return {
        "brand": options.brand_name,
        "name": options.legal_name,
        "address": options.legal_address,
        "npwp": options.legal_npwp,
        "email": options.support_email,
    }


def _buyers(session: Session, customer_ids: set[UUID]) -> dict[UUID, dict[str, Any]]:
    """The buyers as they are now, each with the language of the owner who has been here longest."""
    rows = session.execute(_asked_buyers(), {"customer_ids": list(customer_ids)})
    return {
        customer_id: {"buyer": _buyer(*details), "language": language or "id"}
        for customer_id, language, *details in rows
    }


@cache
def _asked_buyers() -> Select[Any]:
    """Built once: every sale asks."""
    owner_language = (
        select(User.language)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.customer_id == Customer.id, Membership.role == MembershipRole.OWNER)
        .order_by(User.created_at)
        .limit(1)
        .scalar_subquery()
    )
    known = Customer.name, Customer.billing_email, Customer.number, Customer.billing_address, Customer.npwp
    return select(Customer.id, owner_language, *known).where(among(Customer.id, bindparam("customer_ids")))


def _buyer(name: str, email: str, number: int, address: str | None, npwp: str | None) -> dict[str, Any]:
    """Address and tax number stand there only where there are some: of a company."""
    company = {"address": address, "npwp": format_npwp(npwp) if npwp else None}
    return {"name": name, "email": email, "number": number} | {key: value for key, value in company.items() if value}


def _tax(session: Session, series: Series, total: int, corrects_id: UUID | None) -> dict[str, int]:
    if series == Series.RECEIPT:
        return _tax_columns(rules.without_ppn(total), 0, 1, 1)
    options = settings()
    terms = (options.ppn_rate_percent, options.ppn_base_numerator, options.ppn_base_denominator)
    if corrects_id is not None:
        invoice = session.get_one(Document, corrects_id)
        terms = (invoice.ppn_rate_percent, invoice.ppn_base_numerator, invoice.ppn_base_denominator)
    rate, numerator, denominator = terms
    parts = rules.split(total, rate_percent=rate, base_numerator=numerator, base_denominator=denominator)
    return _tax_columns(parts, rate, numerator, denominator)


def _tax_columns(parts: Parts, rate: int, numerator: int, denominator: int) -> dict[str, int]:
    return {
        "net": parts.net,
        "ppn": parts.ppn,
        "ppn_base": parts.base,
        "ppn_rate_percent": rate,
        "ppn_base_numerator": numerator,
        "ppn_base_denominator": denominator,
    }


def issue(session: Session, document_id: UUID, *, now: datetime) -> Document:
    """Gives the document the next number of its series and Jakarta year; a repeat keeps the number it has.

    The counter's row stays locked until the commit, so numbers have no gap: a rollback gives its number back.
    What a credit note corrects is issued before it. Queues the job that renders the PDF and tells the customer.
    """
    document = session.get_one(Document, document_id, with_for_update=True, populate_existing=True)
    if document.number is not None:
        return document
    if document.corrects_id is not None:
        issue(session, document.corrects_id, now=now)
    document.year = clock.today(now).year
    document.number = _next_number(session, document.series, document.year)
    document.status, document.issued_at = DocumentStatus.ISSUED, now
    _queue_rendering(session, document, now=now)
    return document


def _next_number(session: Session, series: str, year: int) -> int:
    first = {"series": series, "year": year, "last_number": 1}
    statement = (
        upsert(DocumentSeries)
        .values(first)
        .on_conflict_do_update(index_elements=["series", "year"], set_={"last_number": DocumentSeries.last_number + 1})
        .returning(DocumentSeries.last_number)
    )
    return session.execute(statement, execution_options={"synchronize_session": False}).scalar_one()


def ask_for_pdf(session: Session, document_id: UUID, *, now: datetime) -> bool:
    """Queues another rendering of a document without a PDF; False when one was asked for a moment ago."""
    document = session.get_one(Document, document_id, with_for_update=True, populate_existing=True)
    lately = document.pdf_asked_at is not None and document.pdf_asked_at > now - ASK_AGAIN_AFTER
    if not document.issued or document.pdf_rendered_at is not None or lately:
        return False
    _queue_rendering(session, document, now=now)
    return True


def _queue_rendering(session: Session, document: Document, *, now: datetime) -> None:
    document.pdf_asked_at = now
    outbox.enqueue(session, "invoices.render", queue="slow", document_id=document.id)


def keep_pdf(session: Session, document_id: UUID, pdf: bytes, *, now: datetime) -> Document:
    """Stores the rendered PDF; the first one stays, so that what was mailed is what can be downloaded."""
    document = session.get_one(Document, document_id, with_for_update=True, populate_existing=True)
    if document.pdf_rendered_at is None:
        document.pdf, document.pdf_rendered_at, document.pdf_error = pdf, now, None
    return document


def note_missing_pdf(session: Session, document_id: UUID, *, reason: str) -> Document:
    """Notes why there is no PDF; the document itself stands, and its page can be printed."""
    document = session.get_one(Document, document_id, with_for_update=True, populate_existing=True)
    if document.pdf_rendered_at is None:
        document.pdf_error = reason[:200]
    return document
