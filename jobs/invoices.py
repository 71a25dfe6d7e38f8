"""Numbers documents, renders their PDF and mails it. No money moves here, whatever fails."""

from __future__ import annotations

from uuid import UUID

import structlog

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.invoices import actions, mailing, pdf, queries
from portal.invoices.errors import PdfUnavailable
from portal.invoices.models import Document

log = structlog.get_logger()


def issue(document_id: str) -> None:
    """Gives a draft its number; a repeat changes nothing."""
    with transaction() as session:
        actions.issue(session, UUID(document_id), now=clock.now())
        outbox.complete(session, now=clock.now())


def render(document_id: str) -> None:
    """Makes the PDF, keeps it and mails it; without a PDF the mail goes out all the same."""
    document = _issued(UUID(document_id))
    content, reason = (None, "") if document.pdf_rendered_at else _try_to_render(document)
    with transaction() as session:
        if content is not None:
            actions.keep_pdf(session, document.id, content, now=clock.now())
        elif reason:
            actions.note_missing_pdf(session, document.id, reason=reason)
        mailing.mail(session, document, now=clock.now())
        outbox.complete(session, now=clock.now())


def _issued(document_id: UUID) -> Document:
    """The document as it is, detached: rendering takes long and must hold no connection."""
    session = db.session()
    document = queries.document(session, document_id)
    session.expunge_all()
    session.rollback()
    return document


def _try_to_render(document: Document) -> tuple[bytes | None, str]:
    """The PDF, or why there is none."""
    try:
        return pdf.render(document), ""
    except PdfUnavailable as error:
        log.warning("invoices.pdf_unavailable", document_id=str(document.id), **error.details)
        return None, error.code
    except Exception as error:
        log.error("invoices.render_failed", document_id=str(document.id), exc_info=error)
        return None, type(error).__name__
