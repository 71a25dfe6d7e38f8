"""Reads of what was taken over, and of the invoices of the time before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, undefer

from portal.accounts.arriving import NO_PASSWORD
from portal.accounts.models import Customer, User
from portal.accounts.queries import customer_of
from portal.catalog.models import Plan, Service
from portal.core.errors import NotFound
from portal.imports.models import HistoricalInvoice, ImportKind, ImportRecord

PAGE_SIZE = 20


def record(session: Session, kind: ImportKind, external_id: str) -> ImportRecord | None:
    """What became of a row, if it was taken."""
    return session.scalar(
        select(ImportRecord).where(ImportRecord.kind == kind, ImportRecord.external_id == external_id)
    )


def user_of(session: Session, external_id: str) -> User | None:
    """The account of a row of the users' file."""
    statement = (
        select(User)
        .join(ImportRecord, ImportRecord.subject_id == User.id)
        .where(ImportRecord.kind == ImportKind.USERS, ImportRecord.external_id == external_id)
    )
    return session.scalar(statement)


def customer_for(session: Session, user: User) -> Customer:
    """Who owns what is taken over for this user."""
    found = customer_of(session, user.id)
    assert found is not None, "every account acts for a customer"
    return found


def plan_of(session: Session, service: str, plan_type: str) -> UUID | None:
    """The plan of that tier of the service with that slug."""
    statement = select(Plan.id).join(Service).where(Service.slug == service, Plan.plan_type == plan_type)
    return session.scalar(statement)


def has_invoice(session: Session, customer_id: UUID, number: str) -> bool:
    """Whether a customer has an old invoice of that number."""
    statement = select(HistoricalInvoice.id).where(
        HistoricalInvoice.customer_id == customer_id, HistoricalInvoice.number == number
    )
    return session.scalar(statement) is not None


def begin_alone(session: Session) -> bool:
    """Whether this is the only import until the transaction ends."""
    name = {"name": "imports"}
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))"), name))


def uninvited(session: Session, *, limit: int) -> Sequence[tuple[ImportRecord, User]]:
    """Accounts that were made by an import and still have no password, oldest first, locked."""
    statement = (
        select(ImportRecord, User)
        .join(User, User.id == ImportRecord.subject_id)
        .where(ImportRecord.invite, ImportRecord.invited_at.is_(None), User.active, User.password_hash == NO_PASSWORD)
        .order_by(ImportRecord.id)
        .limit(limit)
        .with_for_update(of=ImportRecord)
    )
    return [(row, user) for row, user in session.execute(statement)]


@dataclass(frozen=True)
class InvoicePage:
    """A page of a customer's old invoices, newest first; `total` is how many there are in all."""

    invoices: Sequence[HistoricalInvoice]
    number: int
    pages: int
    total: int


def invoice_page(session: Session, customer_id: UUID, *, number: int = 1) -> InvoicePage:
    """Page `number`, counted from 1."""
    statement = (
        select(HistoricalInvoice, func.count().over())
        .where(HistoricalInvoice.customer_id == customer_id)
        .order_by(HistoricalInvoice.issued_on.desc(), HistoricalInvoice.id.desc())
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    rows = session.execute(statement).all()
    total = rows[0][1] if rows else 0
    return InvoicePage([row[0] for row in rows], number, -(-total // PAGE_SIZE), total)


def invoice_pdf(session: Session, invoice_id: UUID, *, customer_id: UUID) -> tuple[str, bytes]:
    """File name and content; `NotFound` when it is another's, or came without a file."""
    statement = select(HistoricalInvoice).options(undefer(HistoricalInvoice.pdf))
    found = session.scalar(
        statement.where(HistoricalInvoice.id == invoice_id, HistoricalInvoice.customer_id == customer_id)
    )
    if found is None or found.pdf is None:
        raise NotFound
    return found.filename, found.pdf
