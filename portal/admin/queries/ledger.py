"""Reads of the ledger, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.admin.queries import customers
from portal.admin.queries import payments as payment_queries
from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.subscriptions.models import SubscriptionCharge
from portal.wallet.models import JournalEntry, LedgerAccount, Posting, Transaction
from portal.wallet.proofs import link_fault
from portal.web.listings import Listing

REFERENCE_KINDS = ("payment", "subscription_charge", "customer", "waitlist_entry")
"""What entries are about: named, so that the index on kind and id answers."""


def listing(conditions: Sequence[Any]) -> Listing:
    """Entries with their sum and what stands behind them."""
    statement: Any = sa.select(JournalEntry, _sum(), cause()).where(*conditions)
    return Listing(statement, JournalEntry.id, {"happened": JournalEntry.happened_at}, default="-happened")


def _sum() -> Any:
    """An entry's two sides are the same: the credits."""
    total = sa.select(sa.func.sum(Posting.amount)).where(Posting.entry_id == JournalEntry.id, Posting.amount > 0)
    return sa.cast(total.scalar_subquery(), sa.BigInteger).label("sum")


def cause() -> Any:
    """The subscription behind a charge: that one has a page."""
    behind = sa.select(SubscriptionCharge.subscription_id).where(SubscriptionCharge.id == JournalEntry.reference_id)
    return behind.correlate(JournalEntry).scalar_subquery().label("subscription_id")


def searched(session: Session, text: str) -> list[Any]:
    """Conditions for an entry's id or key, an order id, what it is about, or whose wallet it moves."""
    if not text:
        return []
    if wanted := parse_id(text):
        about = sa.and_(JournalEntry.reference_kind.in_(REFERENCE_KINDS), JournalEntry.reference_id == wanted)
        return [sa.or_(JournalEntry.id == wanted, about)]
    if ":" in text:
        return [JournalEntry.idempotency_key == text]
    if payments := payment_queries.ids_of(session, text):
        return [JournalEntry.reference_kind == "payment", JournalEntry.reference_id.in_(payments)]
    return [_moves_wallet_of(customers.ids_of(session, text))]


def _moves_wallet_of(customer_ids: Sequence[UUID]) -> Any:
    """As an array, so that the wallet's own postings are read and not the whole journal."""
    entries = (
        sa.select(Posting.entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(LedgerAccount.customer_id.in_(customer_ids))
    )
    return JournalEntry.id == sa.func.any(sa.func.array(entries.scalar_subquery()))


@dataclass(frozen=True)
class Side:
    """One posting with its account, and whether a wallet's chain holds around it."""

    posting: Posting
    account: LedgerAccount
    whose: Any  # None for a system account
    fault: str | None  # why it does not follow the one before
    next_fault: str | None  # why the next one does not follow it


@dataclass(frozen=True)
class EntryPage:
    """An entry with its sides, what caused it, what it corrects and what corrects it."""

    entry: JournalEntry
    subscription_id: UUID | None
    sides: list[Side]
    line: Transaction | None
    corrected_by: list[UUID]

    @property
    def total(self) -> int:
        """Zero, or the books are broken."""
        return sum(side.posting.amount for side in self.sides)


def entry_page(session: Session, entry_id: UUID) -> EntryPage:
    """One entry; raises `NotFound`."""
    row = session.execute(sa.select(JournalEntry, cause()).where(JournalEntry.id == entry_id)).one_or_none()
    if row is None:
        raise NotFound
    corrected = sa.select(JournalEntry.id).where(
        JournalEntry.reference_kind == row.JournalEntry.reference_kind,
        JournalEntry.reference_id == row.JournalEntry.reference_id,
        JournalEntry.corrects_id == entry_id,
    )
    line = session.scalars(sa.select(Transaction).where(Transaction.entry_id == entry_id).limit(1)).first()
    sides = _sides(session, entry_id)
    return EntryPage(row.JournalEntry, row.subscription_id, sides, line, list(session.scalars(corrected)))


def _sides(session: Session, entry_id: UUID) -> list[Side]:
    statement = (
        sa.select(Posting, LedgerAccount, *customers.columns())
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .outerjoin(Customer, Customer.id == LedgerAccount.customer_id)
        .where(Posting.entry_id == entry_id)
        .order_by(Posting.amount, Posting.id)
    )
    rows = session.execute(statement).all()
    around = _around(session, [row.Posting for row in rows])
    return [_side(row, around) for row in rows]


def _around(session: Session, postings: Sequence[Posting]) -> dict[tuple[UUID, int], Posting]:
    """The postings of wallets before and after these, by account and number."""
    places = [
        (one.account_id, one.sequence + step) for one in postings if one.sequence is not None for step in (-1, 0, 1)
    ]
    statement = sa.select(Posting).where(
        sa.tuple_(Posting.account_id, Posting.sequence).in_(places), Posting.sequence.is_not(None)
    )
    return {(one.account_id, one.sequence or 0): one for one in session.scalars(statement)} if places else {}


def _side(row: Any, around: dict[tuple[UUID, int], Posting]) -> Side:
    posting, account = row.Posting, row.LedgerAccount
    if posting.sequence is None:
        return Side(posting, account, None, None, None)
    before = around.get((posting.account_id, posting.sequence - 1))
    after = around.get((posting.account_id, posting.sequence + 1))
    return Side(posting, account, row, _fault(before, posting), _fault(posting, after) if after else None)


def _fault(before: Posting | None, posting: Posting) -> str | None:
    known = (before.sequence or 0, before.chain_hash or "", before.balance_after or 0) if before else (0, "", 0)
    return link_fault(posting, *known)


@dataclass(frozen=True)
class AccountPage:
    """An account: a wallet's carries its balance, a system account is summed where somebody begins to read."""

    account: LedgerAccount
    whose: Any
    balance: int | None


def account_page(session: Session, account_id: UUID, *, summed: bool) -> AccountPage:
    """One account; raises `NotFound`. Summing a long one takes a while, so that further pages leave it out."""
    account = session.get(LedgerAccount, account_id, populate_existing=True)
    if account is None:
        raise NotFound
    if account.customer_id is not None:
        return AccountPage(account, customers.whose(session, account.customer_id), account.balance)
    if not summed:
        return AccountPage(account, None, None)
    total = sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0)).where(Posting.account_id == account_id)
    return AccountPage(account, None, int(session.scalar(total) or 0))


def postings(account: LedgerAccount, conditions: Sequence[Any]) -> Listing:
    """An account's postings, the newest first: a wallet's by number, a system account's by when they were made."""
    statement: Any = (
        sa.select(Posting, JournalEntry)
        .outerjoin(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Posting.account_id == account.id, *conditions)
    )
    if account.customer_id is not None:
        numbered = statement.where(Posting.sequence.is_not(None))
        return Listing(numbered, Posting.id, {"number": Posting.sequence}, default="-number")
    return Listing(statement, Posting.id, {"made": Posting.id}, default="-made")


def system_accounts(session: Session) -> list[tuple[LedgerAccount, int]]:
    """Every system account with its sum, read from the index alone."""
    total = sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0)).where(Posting.account_id == LedgerAccount.id)
    statement = sa.select(LedgerAccount, total.scalar_subquery()).where(LedgerAccount.customer_id.is_(None))
    rows = session.execute(statement.order_by(LedgerAccount.kind, LedgerAccount.qualifier)).all()
    return [(account, int(balance)) for account, balance in rows]


def wallet_sums(session: Session) -> list[Any]:
    """What all wallets hold, by kind: `kind`, `count` of those that are not empty, `sum`."""
    filled = sa.func.count().filter(LedgerAccount.balance != 0).label("count")
    total = sa.cast(sa.func.coalesce(sa.func.sum(LedgerAccount.balance), 0), sa.BigInteger).label("sum")
    statement = sa.select(LedgerAccount.kind, filled, total).where(LedgerAccount.customer_id.is_not(None))
    return list(session.execute(statement.group_by(LedgerAccount.kind).order_by(LedgerAccount.kind)))


def accounts_of(session: Session, text: str) -> list[Any]:
    """The wallet accounts of customers of that number or address, for jumping to one."""
    found = customers.ids_of(session, text) if text else []
    if not found:
        return []
    statement = (
        sa.select(LedgerAccount, *customers.columns())
        .join(Customer, Customer.id == LedgerAccount.customer_id)
        .where(LedgerAccount.customer_id.in_(found[:5]))
    )
    return list(session.execute(statement.order_by(Customer.number, LedgerAccount.kind)))
