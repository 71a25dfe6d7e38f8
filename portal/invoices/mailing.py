"""Mailing documents: once when they are issued, and again when an administrator says so."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.invoices import actions, queries
from portal.invoices.models import Document, Series
from portal.notices import actions as notices

MAILED_AS = {Series.RECEIPT: "receipt_issued", Series.INVOICE: "invoice_issued"}
"""A credit note goes out with the notice of what it refunds."""


def may_mail(document: Document) -> bool:
    """Is there a mail for this kind of document?"""
    return document.issued and document.series in MAILED_AS


def mail(session: Session, document: Document, *, now: datetime, again: str = "") -> None:
    """Once per document and `again`: a PDF made later, on demand, mails nobody again. The sale itself was told in the
    portal."""
    if not may_mail(document):
        return
    notices.mail_owners(
        session,
        customer_id=document.customer_id,
        code=MAILED_AS[Series(document.series)],
        parameters={"number": document.label, "amount": document.total, "document_id": document.id},
        unique_key=f"document:{document.id}{again}",
        now=now,
        document_id=document.id,
    )


def mail_again(session: Session, document_id: UUID, *, actor: Actor, now: datetime) -> bool:
    """Mails a document to its customer's owners once more, at most once a minute. False when it has no mail."""
    document = queries.document(session, document_id)
    if not may_mail(document):
        return False
    mail(session, document, now=now, again=f":again:{now:%Y%m%d%H%M}")
    _note(session, actor, "document.mailed_again", document, now=now)
    return True


def render_again(session: Session, document_id: UUID, *, actor: Actor, now: datetime) -> bool:
    """Asks for a PDF that is missing. One that is there stays: what was mailed is what can be downloaded."""
    document = queries.document(session, document_id)
    asked = actions.ask_for_pdf(session, document_id, now=now)
    if asked:
        _note(session, actor, "document.rendered_again", document, now=now)
    return asked


def _note(session: Session, actor: Actor, action: str, document: Document, *, now: datetime) -> None:
    audit.changed(
        session, actor, action, subject_kind="document", subject_id=document.id, now=now, number=document.label
    )  # fmt: skip
