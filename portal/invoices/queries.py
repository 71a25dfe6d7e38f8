"""Documents as their pages and mails need them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload, undefer

from portal.core.errors import NotFound
from portal.invoices.models import Document, DocumentStatus, Series

PAGE_SIZE = 20


@dataclass(frozen=True)
class DocumentPage:
    """One page of issued documents, newest first; `years` are those the customer has documents of."""

    documents: list[Document]
    years: list[int]
    number: int
    pages: int


def document_page(
    session: Session,
    customer_id: UUID,
    *,
    series: Series | None = None,
    year: int | None = None,
    number: int = 1,
) -> DocumentPage:
    """Page `number`, counted from 1, of the customer's issued documents, filtered by series and year."""
    statement = select(Document, func.count().over()).where(
        Document.customer_id == customer_id, Document.status != DocumentStatus.DRAFT
    )
    if series is not None:
        statement = statement.where(Document.series == series)
    if year is not None:
        statement = statement.where(Document.year == year)
    newest = statement.order_by(Document.issued_at.desc(), Document.id.desc())
    rows = session.execute(newest.offset((number - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all()
    pages = -(-rows[0][1] // PAGE_SIZE) if rows else 0
    return DocumentPage([row[0] for row in rows], _years(session, customer_id), number, pages)


def _years(session: Session, customer_id: UUID) -> list[int]:
    statement = (
        select(Document.year)
        .where(Document.customer_id == customer_id, Document.year.is_not(None))
        .distinct()
        .order_by(Document.year.desc())
    )
    return [year for year in session.scalars(statement) if year is not None]


def document(session: Session, document_id: UUID, *, customer_id: UUID | None = None) -> Document:
    """An issued document with its lines and the one it corrects; `NotFound` when it is not that customer's."""
    statement = (
        select(Document)
        .options(selectinload(Document.lines), selectinload(Document.corrects))
        .where(Document.id == document_id, Document.status != DocumentStatus.DRAFT)
        .execution_options(populate_existing=True)
    )
    if customer_id is not None:
        statement = statement.where(Document.customer_id == customer_id)
    found = session.scalar(statement)
    if found is None:
        raise NotFound
    return found


def pdf_file(session: Session, document_id: UUID) -> tuple[str, bytes] | None:
    """File name and content of a document's PDF; None while there is none."""
    found = session.scalar(select(Document).options(undefer(Document.pdf)).where(Document.id == document_id))
    return (found.filename, found.pdf) if found is not None and found.pdf is not None else None


def pdf_under_way(session: Session, document_id: UUID) -> bool:
    """Is there no PDF yet, and no reason why there will be none?"""
    found = session.get_one(Document, document_id, populate_existing=True)
    return found.pdf_rendered_at is None and found.pdf_error is None
