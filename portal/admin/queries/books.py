"""Reads of the books' proofs, and the journal as accountants want it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from portal.accounts.models import Customer, User
from portal.books.models import BooksAudit, BooksDifference, Reconciliation
from portal.invoices.models import Document, Series
from portal.payments.models import GatewayTransaction
from portal.wallet.models import EntryKind, JournalEntry, LedgerAccount, Posting, Transaction

AUDITS_SHOWN, DAYS_SHOWN, DIFFERENCES_SHOWN_MAX = 10, 31, 200


def audits(session: Session) -> list[BooksAudit]:
    """The latest runs, newest first."""
    statement = sa.select(BooksAudit).order_by(BooksAudit.asked_at.desc(), BooksAudit.id.desc())
    return list(session.scalars(statement.limit(AUDITS_SHOWN).execution_options(populate_existing=True)))


def open_differences(session: Session) -> list[Any]:
    """What a person must look at, the oldest first, with who explained it."""
    statement = (
        sa.select(BooksDifference, User.name.label("explainer"))
        .outerjoin(User, User.id == BooksDifference.explained_by)
        .where(BooksDifference.resolved_at.is_(None))
        .order_by(BooksDifference.found_at, BooksDifference.id)
    )
    return list(session.execute(statement.limit(DIFFERENCES_SHOWN_MAX).execution_options(populate_existing=True)))


def reconciliations(session: Session) -> list[Reconciliation]:
    """The latest days, newest first."""
    statement = sa.select(Reconciliation).order_by(Reconciliation.day.desc()).limit(DAYS_SHOWN)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def journal(session: Session, begin: datetime, end: datetime) -> Iterator[Any]:
    """Every posting booked in a span with its entry, account and document number, in the order of booking.

    Read piece by piece. Columns: `happened_at, entry_id, entry_kind, account, qualifier, customer_number, amount,
    currency, key`, and the document's `series, year, number`.
    """
    numbered = (Document.series, Document.year, Document.number)
    statement = (
        sa.select(
            JournalEntry.happened_at, JournalEntry.id.label("entry_id"), JournalEntry.kind.label("entry_kind"),
            LedgerAccount.kind.label("account"), LedgerAccount.qualifier, Customer.number.label("customer_number"),
            Posting.amount, Posting.currency, JournalEntry.idempotency_key.label("key"), *numbered,
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .outerjoin(Customer, Customer.id == LedgerAccount.customer_id)
        .outerjoin(Document, Document.id == _document_id())
        .where(JournalEntry.happened_at >= begin, JournalEntry.happened_at < end)
        .order_by(JournalEntry.happened_at, JournalEntry.id, Posting.id)
    )  # fmt: skip
    yield from session.execute(statement.execution_options(yield_per=500))


def _document_id() -> Any:
    """The receipt, invoice or credit note of an entry; NULL for what has none."""
    kind = JournalEntry.kind
    return sa.case(
        (kind == EntryKind.TOP_UP, _receipt()), (kind == EntryKind.PURCHASE, _invoice()),
        (kind == EntryKind.PURCHASE_REFUND, _credit_note()), else_=sa.null(),
    )  # fmt: skip


def _receipt() -> Any:
    """Of the transaction that the entry's key names."""
    part = lambda number: sa.func.split_part(JournalEntry.idempotency_key, ":", number)  # noqa: E731
    transaction = sa.select(GatewayTransaction.id).where(
        GatewayTransaction.gateway == part(1), GatewayTransaction.transaction_id == part(2)
    )
    named = transaction.correlate(JournalEntry).scalar_subquery()
    return _numbered("gateway_transaction", named, Series.RECEIPT)


def _invoice() -> Any:
    return _numbered("subscription_charge", JournalEntry.reference_id, Series.INVOICE)


def _numbered(reference_kind: str, reference_id: Any, series: Series) -> Any:
    document = aliased(Document)
    about = document.reference_kind == reference_kind, document.reference_id == reference_id
    statement = sa.select(document.id).where(*about, document.series == series)
    return statement.correlate(JournalEntry).scalar_subquery()


def _credit_note() -> Any:
    """Which one a refund wrote stands in the customer's line of it."""
    noted = sa.cast(Transaction.parameters["credit_note_id"].astext, sa.Uuid)
    statement = sa.select(noted).where(Transaction.entry_id == JournalEntry.id)
    return statement.correlate(JournalEntry).limit(1).scalar_subquery()
