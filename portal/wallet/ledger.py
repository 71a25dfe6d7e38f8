"""Writing the journal: one function posts an entry, everything else is a verb of `actions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, String, any_, bindparam, cast, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from portal.core.ids import new_id
from portal.core.money import IDR, Money
from portal.core.rows import among, insert_all, update_all
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


@dataclass(frozen=True)
class Entry:
    """An entry to be written: balanced, once under its idempotency key."""

    kind: EntryKind
    key: str
    about: Reference
    sides: Sequence[Side]
    corrects_id: UUID | None = None
    facts: dict[str, Any] = field(default_factory=dict)


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


def lock_available(
    session: Session, customer_ids: Iterable[UUID], *, now: datetime, currency: str = IDR
) -> dict[UUID, LedgerAccount]:
    """Locks what several customers may spend, in the order of the accounts; by customer, read anew.

    Enough for whoever takes from available credit alone: every writer of a wallet holds this account.
    """
    wanted = set(customer_ids)
    found = _lock_available(session, wanted, currency)
    if missing := wanted - found.keys():
        for customer_id in sorted(missing):
            _open_wallet(session, customer_id, currency, now)
        found = _lock_available(session, wanted, currency)
    return found


def _lock_available(session: Session, customer_ids: set[UUID], currency: str) -> dict[UUID, LedgerAccount]:
    asked = {"customer_ids": list(customer_ids), "currency": currency}
    accounts = session.scalars(_asked_available(), asked)
    return {account.customer_id: account for account in accounts if account.customer_id}


@cache
def _asked_available() -> Select[LedgerAccount]:
    """Built once: every purchase asks."""
    statement = select(LedgerAccount).where(
        among(LedgerAccount.customer_id, bindparam("customer_ids")),
        LedgerAccount.kind == AccountKind.AVAILABLE,
        LedgerAccount.currency == bindparam("currency"),
    )
    return statement.order_by(LedgerAccount.id).with_for_update().execution_options(populate_existing=True)


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
    asked = {"kinds": list(kinds), "currency": currency, "qualifier": qualifier}
    found = {account.kind: account for account in session.scalars(_asked_system(), asked)}
    if len(found) < len(kinds):
        rows = [_account_row(kind, currency, now, qualifier=qualifier) for kind in kinds]
        session.execute(upsert(LedgerAccount).values(rows).on_conflict_do_nothing())
        found = {account.kind: account for account in session.scalars(_asked_system(), asked)}
    return [found[kind] for kind in kinds]


@cache
def _asked_system() -> Select[LedgerAccount]:
    return select(LedgerAccount).where(
        LedgerAccount.customer_id.is_(None),
        LedgerAccount.kind == any_(cast(bindparam("kinds"), ARRAY(String))),
        LedgerAccount.currency == bindparam("currency"),
        LedgerAccount.qualifier.is_not_distinct_from(bindparam("qualifier", type_=String)),
    )


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
    """`post_all` for one entry: its id, or None on a repeat of `key`."""
    return post_all(session, [Entry(kind, key, about, sides, corrects_id, facts)], now=now).get(key)


def post_all(session: Session, entries: Sequence[Entry], *, now: datetime) -> dict[str, UUID]:
    """Writes balanced entries in their order, each under its idempotency key, and moves the wallets; ids by key.

    A repeat of a key writes nothing and is left out. Wallet accounts must be locked. Sides of zero are left out.
    The database checks at commit that each entry balances.
    """
    assert all(sum(side.amount for side in entry.sides) == 0 for entry in entries), "an entry balances"
    rows = [_entry_row(entry, now) for entry in entries]
    written = insert_all(session, JournalEntry, rows, once_by="idempotency_key")
    posted = {row["id"]: entry for row, entry in zip(rows, entries, strict=True) if row["id"] in written}
    sides = [(side, entry_id) for entry_id, entry in posted.items() for side in entry.sides if side.amount]
    insert_all(session, Posting, [_posting_row(side, entry_id) for side, entry_id in sides])
    update_all(session, LedgerAccount, _moved([side.account for side, _ in sides]))
    return {entry.key: entry_id for entry_id, entry in posted.items()}


def _entry_row(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "kind": entry.kind,
        "idempotency_key": entry.key,
        "reference_kind": entry.about.kind,
        "reference_id": entry.about.id,
        "corrects_id": entry.corrects_id,
        "happened_at": now,
        "facts": entry.facts,
    }


def booked(session: Session, keys: Iterable[str]) -> set[str]:
    """Those keys under which an entry stands. Ask with the wallets locked: then the answer stays true."""
    statement = select(JournalEntry.idempotency_key).where(JournalEntry.idempotency_key.in_(list(keys)))
    return set(session.scalars(statement))


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
    sequence, balance = account.sequence + 1, account.balance + side.amount
    head = chain_hash(
        account.chain_hash,
        account_id=account.id,
        sequence=sequence,
        entry_id=entry_id,
        amount=side.amount,
        currency=account.currency,
        balance_after=balance,
    )
    # Written by `update_all`, for all accounts at once, and not by the session's own flush.
    for name, value in (("sequence", sequence), ("balance", balance), ("chain_hash", head)):
        set_committed_value(account, name, value)
    return {**row, "sequence": sequence, "balance_after": balance, "chain_hash": head}


def _moved(accounts: Iterable[LedgerAccount]) -> list[dict[str, Any]]:
    wallets = {account.id: account for account in accounts if account.customer_id is not None}
    return [
        {"id": each.id, "balance": each.balance, "sequence": each.sequence, "chain_hash": each.chain_hash}
        for each in wallets.values()
    ]
