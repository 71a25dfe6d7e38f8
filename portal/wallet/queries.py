"""Reads of the wallet, shaped for its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from portal.core.clock import JAKARTA, today
from portal.core.money import Money, rupiah
from portal.wallet.models import AccountKind, LedgerAccount, Transaction, TransactionStatus, TransactionType

PAGE_SIZE = 20
SPENDING = (TransactionType.SUBSCRIPTION, TransactionType.RENEWAL, TransactionType.UPGRADE, TransactionType.SETUP_FEE)


@dataclass(frozen=True)
class Overview:
    """The figures at the top of the wallet page; `days` are spending per day of this and last month."""

    available: Money
    held: Money
    debt: Money
    topped_up: Money
    spent: Money
    spent_this_month: Money
    spent_last_month: Money
    months: list[tuple[str, int, int]]  # month label, topped up, spent


@dataclass(frozen=True)
class Filters:
    """What of the history is wanted; empty means everything."""

    type: str = ""
    status: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class StatementPage:
    lines: list[Transaction]
    page: int
    pages: int
    total: int


def available(session: Session, customer_id: UUID) -> Money:
    """What the customer may spend now; zero before the first top-up."""
    return rupiah(
        session.scalar(
            select(LedgerAccount.balance).where(
                LedgerAccount.customer_id == customer_id, LedgerAccount.kind == AccountKind.AVAILABLE
            )
        )
        or 0
    )


def overview(session: Session, customer_id: UUID, *, now: datetime) -> Overview:
    """Balances, lifetime figures and the last six months, in two queries."""
    balances = dict(
        session.execute(
            select(LedgerAccount.kind, LedgerAccount.balance).where(LedgerAccount.customer_id == customer_id)
        ).all()
    )
    months = _months(session, customer_id, now)
    shown = months[-6:]
    return Overview(
        available=rupiah(balances.get(AccountKind.AVAILABLE, 0)),
        held=rupiah(balances.get(AccountKind.HELD, 0)),
        debt=rupiah(-balances.get(AccountKind.RECEIVABLE, 0)),
        topped_up=rupiah(sum(row[1] for row in months)),
        spent=rupiah(sum(row[2] for row in months)),
        spent_this_month=rupiah(shown[-1][2]),
        spent_last_month=rupiah(shown[-2][2]),
        months=shown,
    )


def _months(session: Session, customer_id: UUID, now: datetime) -> list[tuple[str, int, int]]:
    """Top-ups and net spending per Jakarta month, oldest first; always ends with last month and this one."""
    month = func.to_char(func.timezone("Asia/Jakarta", Transaction.completed_at), "YYYY-MM").label("month")
    top_up = func.sum(Transaction.amount).filter(Transaction.type == TransactionType.TOP_UP)
    spending = func.sum(-Transaction.amount).filter(
        Transaction.type.in_(SPENDING) | and_(Transaction.type == TransactionType.REFUND, Transaction.amount > 0)
    )
    rows = session.execute(
        select(month, func.coalesce(top_up, 0), func.coalesce(spending, 0))
        .where(Transaction.customer_id == customer_id, Transaction.entry_id.is_not(None))
        .group_by(month)
    )
    found = {row[0]: (int(row[1]), int(row[2])) for row in rows}
    for label in _recent_months(today(now), 6):
        found.setdefault(label, (0, 0))
    return [(label, *found[label]) for label in sorted(found)]


def _recent_months(day: date, count: int) -> list[str]:
    labels, first = [], day.replace(day=1)
    for _ in range(count):
        labels.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return labels


def statement_page(session: Session, customer_id: UUID, filters: Filters, *, page: int) -> StatementPage:
    """One page of the history, newest first; a page past the end is the last one."""
    condition = _matching(customer_id, filters)
    total = session.scalar(select(func.count()).select_from(Transaction).where(condition)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(1, page), pages)
    statement = (
        select(Transaction)
        .where(condition)
        .order_by(Transaction.created_at.desc(), Transaction.id.desc())
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return StatementPage(list(session.scalars(statement)), page, pages, total)


def statement_rows(session: Session, customer_id: UUID, filters: Filters) -> Iterator[Transaction]:
    """The whole filtered history, newest first, streamed."""
    statement = select(Transaction).where(_matching(customer_id, filters)).order_by(Transaction.created_at.desc())
    return iter(session.scalars(statement.execution_options(yield_per=500)))


def _matching(customer_id: UUID, filters: Filters) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [Transaction.customer_id == customer_id]
    if filters.type in set(TransactionType):
        conditions.append(Transaction.type == filters.type)
    if filters.status in set(TransactionStatus):
        conditions.append(Transaction.status == filters.status)
    if filters.since:
        conditions.append(Transaction.created_at >= _start_of(filters.since))
    if filters.until and filters.until < date.max:
        conditions.append(Transaction.created_at < _start_of(filters.until + timedelta(days=1)))
    return and_(*conditions)


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=JAKARTA)
