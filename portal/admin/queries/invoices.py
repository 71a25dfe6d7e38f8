"""Reads of documents, for the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, selectinload

from portal.accounts.models import Customer
from portal.admin.queries import customers
from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.invoices.models import NUMBER_PREFIX, Document, Series
from portal.notices.models import Mail
from portal.subscriptions.models import SubscriptionCharge
from portal.web.listings import Listing

LABEL = re.compile(r"(RCP|INV|CN)[/-]([0-9]{4})[/-]([0-9]{1,9})", re.IGNORECASE)
SERIES = {prefix: series for series, prefix in NUMBER_PREFIX.items()}


def listing(conditions: Sequence[Any]) -> Listing:
    """Documents of every series, with what was credited of each."""
    statement: Any = (
        sa.select(Document, credited(), *customers.columns())
        .outerjoin(Customer, Customer.id == Document.customer_id)
        .where(*conditions)
    )
    sorts = {"created": Document.created_at, "total": Document.total}
    return Listing(statement, Document.id, sorts, default="-created")


def credited() -> Any:
    """The sum of a document's credit notes."""
    note = aliased(Document)
    total = sa.select(sa.func.coalesce(sa.func.sum(note.total), 0)).where(note.corrects_id == Document.id)
    return sa.cast(total.correlate(Document).scalar_subquery(), sa.BigInteger).label("credited")


def searched(session: Session, text: str) -> list[Any]:
    """Conditions for a document's number or id, or whose it is."""
    if not text:
        return []
    if label := LABEL.fullmatch(text):
        series = SERIES[label[1].upper()]
        return [Document.series == series, Document.year == int(label[2]), Document.number == int(label[3])]
    if wanted := parse_id(text):
        return [Document.id == wanted]
    return [Document.customer_id.in_(customers.ids_of(session, text))]


@dataclass(frozen=True)
class DocumentPage:
    """A document with its mails, its credit notes, and what may still be credited."""

    document: Document
    whose: Any
    mails: list[Mail]
    notes: list[Document]
    charge: SubscriptionCharge | None

    @property
    def creditable(self) -> int:
        """What is left of an issued invoice, in whole rupiah."""
        if self.charge is None or not self.document.issued or self.document.series != Series.INVOICE:
            return 0
        return self.charge.amount - self.charge.refunded

    @property
    def wholly_credited(self) -> bool:
        return self.charge is not None and 0 < self.charge.amount == self.charge.refunded


def document_page(session: Session, document_id: UUID) -> DocumentPage:
    """One document, drafts too; raises `NotFound`."""
    statement = sa.select(Document).options(selectinload(Document.lines), selectinload(Document.corrects))
    document = session.scalar(
        statement.where(Document.id == document_id).execution_options(populate_existing=True)
    )  # fmt: skip
    if document is None:
        raise NotFound
    mails = sa.select(Mail).where(Mail.document_id == document_id).order_by(Mail.created_at.desc()).limit(20)
    notes = sa.select(Document).where(Document.corrects_id == document_id).order_by(Document.created_at)
    of_charge = document.reference_kind == "subscription_charge"
    charge = session.get(SubscriptionCharge, document.reference_id, populate_existing=True) if of_charge else None
    return DocumentPage(
        document=document, whose=customers.whose(session, document.customer_id), charge=charge,
        mails=list(session.scalars(mails)), notes=list(session.scalars(notes)),
    )  # fmt: skip


def issued_between(session: Session, begin: datetime, end: datetime) -> Iterator[Any]:
    """Documents issued in a span, in the order of issue, each with what it corrects; read piece by piece."""
    corrected = aliased(Document)
    statement = (
        sa.select(Document, corrected)
        .outerjoin(corrected, corrected.id == Document.corrects_id)
        .where(Document.issued_at >= begin, Document.issued_at < end)
        .order_by(Document.issued_at, Document.id)
    )
    yield from session.execute(statement.execution_options(yield_per=500))
