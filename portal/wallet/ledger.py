"""Writing the journal: one function posts an entry, everything else is a verb of `actions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.core.ids import new_id
from portal.core.money import IDR, Money
from portal.wallet.models import WALLET_KINDS, AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting
from portal.wallet.rules import chain_hash


@dataclass(frozen=True)
class Wallet:
    """A customer's three accounts in one currency, locked until the transaction ends."""

    available: LedgerAccount
    held: LedgerAccount
    receivable: LedgerAccount

    @property
    def spendable(self) -> Money:
        return self.available.money

    @property
    def debt(self) -> int:
        """What the customer owes after a chargeback, counted upwards."""
        return -self.receivable.balance


@dataclass(frozen=True)
class Side:
    """One side of an entry: a signed amount (credit positive) on one account."""

    account: LedgerAccount
    amount: int


@dataclass(frozen=True)
class Reference:
    """What an entry is about: a payment, a subscription charge, a customer."""

    kind: str
    id: UUID


def lock_wallet(session: Session, customer_id: UUID, *, now: datetime, currency: str = IDR) -> Wallet:
    """Locks a customer's wallet, opening it on first use. The accounts are read anew, as they are now."""
    rows = _lock_accounts(session, customer_id, currency)
    if len(rows) < len(WALLET_KINDS):
        _open_wallet(session, customer_id, currency, now)
        rows = _lock_accounts(session, customer_id, currency)
    by_kind = {row.kind: row for row in rows}
    return Wallet(*(by_kind[kind] for kind in WALLET_KINDS))


def _lock_accounts(session: Session, customer_id: UUID, currency: str) -> list[LedgerAccount]:
    statement = (
        select(LedgerAccount)
        .where(LedgerAccount.customer_id == customer_id, LedgerAccount.currency == currency)
        .order_by(LedgerAccount.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def _open_wallet(session: Session, customer_id: UUID, currency: str, now: datetime) -> None:
    rows = [_account_row(kind, currency, now, customer_id=customer_id) for kind in WALLET_KINDS]
    session.execute(upsert(LedgerAccount).values(rows).on_conflict_do_nothing())


def system_account(
    session: Session, kind: AccountKind, *, now: datetime, currency: str = IDR, qualifier: str | None = None
) -> LedgerAccount:
    """The system account of a kind, opened on first use. It is never locked: it has no balance of its own."""
    return system_accounts(session, kind, now=now, currency=currency, qualifier=qualifier)[0]


def system_accounts(
    session: Session, *kinds: AccountKind, now: datetime, currency: str = IDR, qualifier: str | None = None
) -> list[LedgerAccount]:
    """Several at once, in the order of `kinds`."""
    statement = select(LedgerAccount).where(
        LedgerAccount.customer_id.is_(None),
        LedgerAccount.kind.in_(kinds),
        LedgerAccount.currency == currency,
        LedgerAccount.qualifier.is_not_distinct_from(qualifier),
    )
    found = {account.kind: account for account in session.scalars(statement)}
    if len(found) < len(kinds):
        rows = [_account_row(kind, currency, now, qualifier=qualifier) for kind in kinds]
        session.execute(upsert(LedgerAccount).values(rows).on_conflict_do_nothing())
        found = {account.kind: account for account in session.scalars(statement)}
    return [found[kind] for kind in kinds]


def _account_row(
    kind: AccountKind, currency: str, now: datetime, *, customer_id: UUID | None = None, qualifier: str | None = None
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "customer_id": customer_id,
        "kind": kind,
        "currency": currency,
        "qualifier": qualifier,
        "balance": 0,
        "sequence": 0,
        "chain_hash": "",
        "created_at": now,
    }


def post(
    session: Session,
    kind: EntryKind,
    *,
    key: str,
    about: Reference,
    sides: Sequence[Side],
    now: datetime,
    corrects_id: UUID | None = None,
    **facts: Any,
) -> UUID | None:
    """Writes one balanced entry under its idempotency key and moves the wallets; returns its id.

    A repeat of `key` writes nothing and returns None. Wallet accounts must be locked. Sides of zero are left out.
    The database checks at commit that the entry balances.
    """
    used = [side for side in sides if side.amount != 0]
    assert sum(side.amount for side in used) == 0, "an entry balances"
    entry_id = _claim_key(session, kind, key, about, now, corrects_id, facts)
    if entry_id is None:
        return None
    session.execute(insert(Posting), [_posting_row(side, entry_id) for side in used])
    session.flush()
    return entry_id


def is_booked(session: Session, key: str) -> bool:
    """Whether an entry stands under this key. Ask with the wallet locked: then the answer stays true."""
    return session.scalar(select(JournalEntry.id).where(JournalEntry.idempotency_key == key)) is not None


def _claim_key(
    session: Session,
    kind: EntryKind,
    key: str,
    about: Reference,
    now: datetime,
    corrects_id: UUID | None,
    facts: dict[str, Any],
) -> UUID | None:
    """Inserts the entry unless its key is known. A concurrent holder of the key is waited for."""
    row = {
        "id": new_id(),
        "kind": kind,
        "idempotency_key": key,
        "reference_kind": about.kind,
        "reference_id": about.id,
        "corrects_id": corrects_id,
        "happened_at": now,
        "facts": facts,
    }
    statement = upsert(JournalEntry).values(row).on_conflict_do_nothing(index_elements=["idempotency_key"])
    return session.scalar(statement.returning(JournalEntry.id))


def _posting_row(side: Side, entry_id: UUID) -> dict[str, Any]:
    """The posting's columns; a wallet account moves on to its next sequence, balance and hash."""
    account = side.account
    row = {
        "id": new_id(),
        "entry_id": entry_id,
        "account_id": account.id,
        "amount": side.amount,
        "currency": account.currency,
        "sequence": None,
        "balance_after": None,
        "chain_hash": None,
    }
    if account.customer_id is None:
        return row
    account.sequence += 1
    account.balance += side.amount
    account.chain_hash = chain_hash(
        account.chain_hash,
        account_id=account.id,
        sequence=account.sequence,
        entry_id=entry_id,
        amount=side.amount,
        currency=account.currency,
        balance_after=account.balance,
    )
    return {**row, "sequence": account.sequence, "balance_after": account.balance, "chain_hash": account.chain_hash}
