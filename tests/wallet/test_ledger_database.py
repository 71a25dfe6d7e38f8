"""What the database itself refuses of the ledger, whoever asks and however: each attempt is plain SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.money import Money
from portal.wallet.ledger import Reference, Side, lock_wallet, post, system_account
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting
from tests.books.shop import give, open_customer

REFUSED = "23"  # class 23, integrity constraint violation. Source: PostgreSQL manual, appendix A.


@pytest.fixture
def owner(portal: Flask) -> UUID:
    """A customer with 50.000 of credit, so that every table has a row to spoil."""
    customer_id = open_customer()
    give(customer_id, 50_000)
    return customer_id


def run(statement: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(sa.text(statement), values)


def refused(deed: Callable[[], object], *, because: str) -> None:
    """The deed fails with an integrity error that says `because`, and nothing of it stays."""
    before = snapshot()
    with pytest.raises(DBAPIError) as caught:
        deed()
    assert str(getattr(caught.value.orig, "sqlstate", "")).startswith(REFUSED)
    assert because in str(caught.value.orig)
    assert snapshot() == before


def snapshot() -> list[list[tuple[Any, ...]]]:
    db.session.rollback()
    tables = ("ledger_account", "journal_entry", "posting", "transaction")
    rows = [[tuple(row) for row in db.session().execute(sa.text(f'SELECT * FROM "{t}" ORDER BY id'))] for t in tables]
    db.session.rollback()
    return rows


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE posting SET amount = amount + 1",
        "UPDATE posting SET balance_after = 0",
        "UPDATE posting SET chain_hash = 'x'",
        "DELETE FROM posting",
        "TRUNCATE posting",
        "UPDATE journal_entry SET kind = 'PAYOUT'",
        "UPDATE journal_entry SET happened_at = happened_at + interval '1 day'",
        "DELETE FROM journal_entry",
        "TRUNCATE journal_entry CASCADE",
        "DELETE FROM ledger_account",
        "TRUNCATE ledger_account CASCADE",
        "DELETE FROM transaction",
        "TRUNCATE transaction",
    ],
)
def test_history_is_never_rewritten(owner: UUID, statement: str) -> None:
    refused(lambda: run(statement), because="append-only")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'AVAILABLE'",
        "UPDATE ledger_account SET balance = 1 WHERE kind = 'HELD'",
        "UPDATE ledger_account SET balance = -1 WHERE kind = 'RECEIVABLE'",
        "UPDATE ledger_account SET sequence = sequence + 1 WHERE kind = 'AVAILABLE'",
        "UPDATE ledger_account SET chain_hash = 'x' WHERE kind = 'AVAILABLE'",
    ],
)
def test_a_cached_balance_cannot_leave_its_postings(owner: UUID, statement: str) -> None:
    refused(lambda: run(statement), because="does not agree with its last posting")


@pytest.mark.parametrize(
    "kind, balance, constraint",
    [
        ("AVAILABLE", -1, "available_not_negative"),
        ("HELD", -1, "held_not_negative"),
        ("RECEIVABLE", 1, "receivable_not_positive"),
    ],
)
def test_no_wallet_account_stands_where_it_must_not(owner: UUID, kind: str, balance: int, constraint: str) -> None:
    statement = "UPDATE ledger_account SET balance = :balance WHERE kind = :kind"
    refused(lambda: run(statement, kind=kind, balance=balance), because=constraint)


def test_a_system_account_carries_no_balance(owner: UUID) -> None:
    refused(lambda: run("UPDATE ledger_account SET balance = 5 WHERE kind = 'ADJUSTMENTS'"), because="system_is_summed")


@pytest.mark.parametrize("kind, customer", [("REVENUE", True), ("AVAILABLE", False)])
def test_wallets_and_only_wallets_have_owners(owner: UUID, kind: str, customer: bool) -> None:
    def open_account() -> None:
        with transaction() as session:
            session.add(
                LedgerAccount(
                    customer_id=owner if customer else None, kind=kind, currency="IDR", created_at=clock.now()
                )
            )

    refused(open_account, because="wallets_have_owners")


def test_a_customer_has_one_wallet_per_currency(owner: UUID) -> None:
    def open_second() -> None:
        with transaction() as session:
            session.add(LedgerAccount(customer_id=owner, kind="AVAILABLE", currency="IDR", created_at=clock.now()))

    refused(open_second, because="uq_ledger_account")


# --- entries written by hand ----------------------------------------------------------------------------


def write(*postings: dict[str, Any], key: str | None = None, cached: dict[str, Any] | None = None) -> None:
    """One entry with these postings, as a careless programmer might; `cached` is what the wallet then says."""
    with transaction() as session:
        entry = JournalEntry(
            id=new_id(), kind="ADJUSTMENT", idempotency_key=key or uuid4().hex, reference_kind="test",
            reference_id=uuid4(), happened_at=clock.now(),
        )  # fmt: skip
        session.add(entry)
        session.flush()
        for values in postings:
            session.add(Posting(id=new_id(), entry_id=entry.id, **{"currency": "IDR"} | values))
        if cached is not None:
            move = "balance = :balance_after, sequence = :sequence, chain_hash = :chain_hash"
            session.flush()
            session.execute(sa.text(f"UPDATE ledger_account SET {move} WHERE kind = 'AVAILABLE'"), cached)


def account(kind: str, *, currency: str = "IDR") -> UUID:
    with transaction() as session:
        found = session.scalar(
            sa.select(LedgerAccount.id).where(LedgerAccount.kind == kind, LedgerAccount.currency == currency)
        )
        return found or system_account(session, AccountKind(kind), now=clock.now(), currency=currency).id


def test_an_entry_that_does_not_balance_is_refused_at_commit(owner: UUID) -> None:
    sides = [{"account_id": account("REVENUE"), "amount": 5}, {"account_id": account("BANK"), "amount": -4}]
    refused(lambda: write(*sides), because="does not balance")


def test_an_entry_balances_in_each_currency_by_itself(owner: UUID) -> None:
    dollars = account("BANK", currency="USD")
    sides = [
        {"account_id": account("REVENUE"), "amount": 5},
        {"account_id": dollars, "amount": -5, "currency": "USD"},
    ]
    refused(lambda: write(*sides), because="does not balance")


@pytest.mark.parametrize("sides", [0, 1])
def test_an_entry_has_two_sides_at_least(owner: UUID, sides: int) -> None:
    revenue = account("REVENUE")
    refused(lambda: write(*[{"account_id": revenue, "amount": 5}] * sides), because="two at least")


def test_a_posting_of_nothing_is_refused(owner: UUID) -> None:
    sides = [{"account_id": account("REVENUE"), "amount": 0}, {"account_id": account("BANK"), "amount": 0}]
    refused(lambda: write(*sides), because="amount_not_zero")


def test_a_posting_is_in_its_accounts_currency(owner: UUID) -> None:
    sides = [
        {"account_id": account("REVENUE"), "amount": 5, "currency": "USD"},
        {"account_id": account("BANK"), "amount": -5, "currency": "USD"},
    ]
    refused(lambda: write(*sides), because="posting in USD on an account in IDR")


def test_an_idempotency_key_stands_once(owner: UUID) -> None:
    sides = [{"account_id": account("REVENUE"), "amount": 5}, {"account_id": account("BANK"), "amount": -5}]
    write(*sides, key="one")
    refused(lambda: write(*sides, key="one"), because="idempotency_key")


def test_a_later_posting_cannot_be_slipped_under_an_old_entry(owner: UUID) -> None:
    def slip() -> None:
        with transaction() as session:
            entry_id = session.scalars(sa.select(JournalEntry.id)).first()
            session.add(Posting(id=new_id(), entry_id=entry_id, account_id=account_id, amount=5, currency="IDR"))

    account_id = account("REVENUE")
    refused(slip, because="does not balance")


WALLET_POSTING = {"amount": 5, "sequence": 2, "balance_after": 50_005, "chain_hash": "h"}


@pytest.mark.parametrize(
    "changes, because",
    [
        ({"sequence": None}, "numbered and chained"),
        ({"balance_after": None}, "numbered and chained"),
        ({"chain_hash": None}, "numbered and chained"),
        ({"sequence": 3}, "does not follow"),
        ({"sequence": 1}, "uq_posting_account_id_sequence"),
        ({"balance_after": 50_006}, "does not follow"),
    ],
)
def test_a_wallet_posting_follows_the_one_before_it(owner: UUID, changes: dict[str, Any], because: str) -> None:
    values = WALLET_POSTING | changes
    sides = [{"account_id": account("AVAILABLE"), **values}, {"account_id": account("BANK"), "amount": -5}]
    numbered = values if values["sequence"] else {"sequence": 1, "balance_after": 50_000, "chain_hash": head()}
    cached = {name: numbered[name] or 0 for name in ("sequence", "balance_after")}
    refused(lambda: write(*sides, cached=cached | {"chain_hash": numbered["chain_hash"] or ""}), because=because)


def test_a_posting_that_leaves_the_cached_balance_behind_is_refused(owner: UUID) -> None:
    sides = [{"account_id": account("AVAILABLE"), **WALLET_POSTING}, {"account_id": account("BANK"), "amount": -5}]
    refused(lambda: write(*sides), because="does not agree with its last posting")


def head() -> str:
    """The hash the wallet's chain ends with."""
    db.session.rollback()
    return db.session().scalars(sa.select(LedgerAccount.chain_hash).where(LedgerAccount.kind == "AVAILABLE")).one()


def test_a_system_posting_is_not_numbered(owner: UUID) -> None:
    sides = [
        {"account_id": account("REVENUE"), "amount": 5, "sequence": 1},
        {"account_id": account("BANK"), "amount": -5},
    ]
    refused(lambda: write(*sides), because="numbered and chained")


# --- the one function that posts ------------------------------------------------------------------------


def test_post_refuses_sides_that_do_not_balance_before_it_writes(owner: UUID) -> None:
    with pytest.raises(AssertionError), transaction() as session:
        wallet = lock_wallet(session, owner, now=clock.now())
        about = Reference("test", uuid4())
        post(session, EntryKind.ADJUSTMENT, key="k", about=about, sides=[Side(wallet.available, 1)], now=clock.now())


def test_a_currency_without_a_wallet_opens_one_of_its_own(owner: UUID) -> None:
    with transaction() as session:
        wallet = lock_wallet(session, owner, now=clock.now(), currency="USD")
        assert wallet.spendable == Money(0, "USD")
    assert len(snapshot()[0]) == 3 + 3 + 1
