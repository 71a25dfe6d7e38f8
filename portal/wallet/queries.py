"""Reads of the wallet, shaped for its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, Select, Text, and_, cast, func, literal, select
from sqlalchemy.orm import Session

from portal.core.clock import JAKARTA, today
from portal.core.money import IDR, Money, rupiah
from portal.wallet.models import (
    WALLET_KINDS,
    AccountKind,
    LedgerAccount,
    Transaction,
    TransactionStatus,
    TransactionType,
)

PAGE_SIZE = 20
MONTHS_SHOWN = 6
happened_at = func.coalesce(Transaction.completed_at, Transaction.created_at)
SPENDING = (TransactionType.SUBSCRIPTION, TransactionType.RENEWAL, TransactionType.UPGRADE, TransactionType.SETUP_FEE)


@dataclass(frozen=True)
class Month:
    """What moved in one Jakarta month; `spent` is net of refunds, `topped_up` of what a gateway took back."""

    starts_on: date
    topped_up: Money
    spent: Money


@dataclass(frozen=True)
class Overview:
    """The figures at the top of the wallet page; `months` are the last six, oldest first, this one last."""

    available: Money
    held: Money
    debt: Money
    topped_up: Money
    spent: Money
    months: list[Month]

    @property
    def spent_this_month(self) -> Money:
        return self.months[-1].spent

    @property
    def spent_last_month(self) -> Money:
        return self.months[-2].spent


@dataclass(frozen=True)
class Filters:
    """What of the history is wanted; empty means everything."""

    type: str = ""
    status: str = ""
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return self != Filters()


@dataclass(frozen=True)
class StatementPage:
    lines: list[Transaction]
    page: int
    pages: int
    total: int


def available(session: Session, customer_id: UUID) -> Money:
    """What the customer may spend now; zero before the first top-up."""
    return rupiah(session.scalars(select(available_amount(customer_id))).one())


def own_credit(session: Session, customer_id: UUID) -> Money:
    """All that is the customer's: what they may spend, and what is set aside."""
    statement = select(func.coalesce(func.sum(LedgerAccount.balance), 0)).where(
        LedgerAccount.customer_id == customer_id,
        LedgerAccount.kind.in_([AccountKind.AVAILABLE, AccountKind.HELD]),
        LedgerAccount.currency == IDR,
    )
    return rupiah(int(session.scalars(statement).one()))


def available_amount(customer_id: UUID) -> ColumnElement[int]:
    """`available` in whole rupiah, for a page's query that asks more at once."""
    balance = select(LedgerAccount.balance).where(
        LedgerAccount.customer_id == customer_id,
        LedgerAccount.kind == AccountKind.AVAILABLE,
        LedgerAccount.currency == IDR,
    )
    return func.coalesce(balance.scalar_subquery(), 0)


def overview(session: Session, customer_id: UUID, *, now: datetime) -> Overview:
    """Balances, lifetime figures and the last six months, in one query."""
    figures = _balances(customer_id).union_all(_monthly_sums(customer_id))
    found = {name: (int(first), int(second)) for name, first, second in session.execute(figures)}
    balances = {kind: found.pop(kind, (0, 0))[0] for kind in WALLET_KINDS}
    return Overview(
        available=rupiah(balances[AccountKind.AVAILABLE]),
        held=rupiah(balances[AccountKind.HELD]),
        debt=rupiah(-balances[AccountKind.RECEIVABLE]),
        topped_up=rupiah(sum(topped_up for topped_up, _ in found.values())),
        spent=rupiah(sum(spent for _, spent in found.values())),
        months=[_month(day, found) for day in _last_months(today(now), MONTHS_SHOWN)],
    )


def _balances(customer_id: UUID) -> Select[Any]:
    columns = cast(LedgerAccount.kind, Text), cast(LedgerAccount.balance, Numeric), literal(0)
    return select(*columns).where(LedgerAccount.customer_id == customer_id, LedgerAccount.currency == IDR)


def _monthly_sums(customer_id: UUID) -> Select[Any]:
    """Label (`2026-03`), topped up and spent per Jakarta month in which anything was booked."""
    month = func.to_char(func.timezone("Asia/Jakarta", Transaction.completed_at), "YYYY-MM")
    refund = Transaction.type == TransactionType.REFUND
    topped_up = (Transaction.type == TransactionType.TOP_UP) | (refund & (Transaction.amount < 0))
    spending = Transaction.type.in_(SPENDING) | (refund & (Transaction.amount > 0))
    return (
        select(month, _sum_where(topped_up, Transaction.amount), _sum_where(spending, -Transaction.amount))
        .where(Transaction.customer_id == customer_id, Transaction.entry_id.is_not(None))
        .group_by(month)
    )


def _sum_where(condition: ColumnElement[bool], amount: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(amount).filter(condition), 0)


def _month(first: date, found: dict[str, tuple[int, int]]) -> Month:
    topped_up, spent = found.get(f"{first:%Y-%m}", (0, 0))
    return Month(first, rupiah(topped_up), rupiah(spent))


def _last_months(day: date, count: int) -> list[date]:
    """The first days of the last `count` months, oldest first."""
    firsts = [day.replace(day=1)]
    while len(firsts) < count:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    return firsts[::-1]


def statement_page(session: Session, customer_id: UUID, filters: Filters, *, page: int) -> StatementPage:
    """One page of the history, newest first, in one query; a page past the end has no lines."""
    statement = _statement(customer_id, filters).add_columns(func.count().over())
    rows = session.execute(statement.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)).all()
    total = rows[0][1] if rows else 0
    return StatementPage([row[0] for row in rows], page, max(1, -(-total // PAGE_SIZE)), total)


def statement_rows(session: Session, customer_id: UUID, filters: Filters) -> Iterator[Transaction]:
    """The whole filtered history, newest first, streamed."""
    return iter(session.scalars(_statement(customer_id, filters).execution_options(yield_per=500)))


def _statement(customer_id: UUID, filters: Filters) -> Select[Any]:
    """By the time money moved (for what never did: by the time it was asked), so that balances read in order."""
    condition = _matching(customer_id, filters)
    return select(Transaction).where(condition).order_by(happened_at.desc(), Transaction.id.desc())


def _matching(customer_id: UUID, filters: Filters) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [Transaction.customer_id == customer_id]
    if filters.type in set(TransactionType):
        conditions.append(Transaction.type == filters.type)
    if filters.status in set(TransactionStatus):
        conditions.append(Transaction.status == filters.status)
    if filters.since:
        conditions.append(happened_at >= _start_of(filters.since))
    if filters.until and filters.until < date.max:
        conditions.append(happened_at < _start_of(filters.until + timedelta(days=1)))
    return and_(*conditions)


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=JAKARTA)


def credit_held(session: Session) -> int:
    """Whole rupiah that all customers may still spend or have set aside: what the business owes them in service."""
    held = LedgerAccount.kind.in_((AccountKind.AVAILABLE, AccountKind.HELD))
    return int(session.scalar(select(func.coalesce(func.sum(LedgerAccount.balance), 0)).where(held)) or 0)
