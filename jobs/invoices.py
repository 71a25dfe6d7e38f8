"""Numbers documents, renders their PDF and tells the customer. No money moves here, whatever fails."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.invoices import actions, pdf, queries
from portal.invoices.errors import PdfUnavailable
from portal.invoices.models import Document, Series
from portal.notices import actions as notices

log = structlog.get_logger()

TOLD_AS = {
    Series.RECEIPT: "receipt_issued",
    Series.INVOICE: "invoice_issued",
    Series.CREDIT_NOTE: "credit_note_issued",
}


def issue(document_id: str) -> None:
    """Gives a draft its number; a repeat changes nothing."""
    with transaction() as session:
        actions.issue(session, UUID(document_id), now=clock.now())
        outbox.complete(session, now=clock.now())


def render(document_id: str) -> None:
    """Makes the PDF, keeps it and tells the customer; without a PDF the customer is told all the same."""
    document = queries.document(db.session(), UUID(document_id))
    db.session.rollback()
    if document.pdf_rendered_at is None:
        _render(document)
    with transaction() as session:
        outbox.complete(session, now=clock.now())


def _render(document: Document) -> None:
    try:
        content = pdf.render(document)
    except PdfUnavailable as error:
        return _keep_going_without(document, error.code)
    except Exception as error:  # noqa: BLE001 - whatever a renderer does, the document stands and is told
        log.error("invoices.render_failed", document_id=str(document.id), exc_info=error)
        return _keep_going_without(document, type(error).__name__)
    with transaction() as session:
        actions.keep_pdf(session, document.id, content, now=clock.now())
        _tell(session, document)
    return None


def _keep_going_without(document: Document, reason: str) -> None:
    with transaction() as session:
        actions.note_missing_pdf(session, document.id, reason=reason)
        _tell(session, document)


def _tell(session: Session, document: Document) -> None:
    """Once per document: a PDF made later, on demand, tells nobody again."""
    parameters = {"number": document.label, "amount": document.total, "document_id": document.id}
    notices.tell(
        session,
        customer_id=document.customer_id,
        code=TOLD_AS[Series(document.series)],
        parameters=parameters,
        unique_key=f"document:{document.id}:issued",
        now=clock.now(),
        document_id=document.id,
    )
