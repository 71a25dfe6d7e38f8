"""The verbs that move money: once per key, debt first, and every rupiah on the right account."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.wallet import actions
from portal.wallet.actions import Line
from portal.wallet.errors import InsufficientCredit
from portal.wallet.ledger import Reference
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting, Transaction
from portal.wallet.models import TransactionType as Type
from portal.wallet.proofs import CHECKS
from portal.wallet.rules import Split, chain_hash, split_claw_back, split_credit
from tests.books.shop import balance, debt, entries, give, open_customer

amounts = st.integers(min_value=1, max_value=10**15)
figures = st.integers(min_value=0, max_value=10**15)


# --- rules ----------------------------------------------------------------------------------------------


@given(amounts, figures)
def test_a_credit_pays_the_debt_first_and_loses_nothing(amount: int, owed: int) -> None:
    split = split_credit(amount, debt=owed)
    assert split.available + split.receivable == amount
    assert min(split.available, split.receivable) >= 0
    assert split.receivable == min(amount, owed)
    assert split.available == 0 or split.receivable == owed, "nothing to spend while anything is owed"


@given(amounts, figures)
def test_a_claw_back_takes_what_is_there_and_the_rest_is_owed(amount: int, available: int) -> None:
    split = split_claw_back(amount, available=available)
    assert split.available + split.receivable == -amount
    assert available + split.available >= 0
    assert split.receivable == 0 or available + split.available == 0, "nobody owes who has credit left"


@pytest.mark.parametrize("amount", range(1, 8))
@pytest.mark.parametrize("other", range(8))
def test_small_splits_one_by_one(amount: int, other: int) -> None:
    assert split_credit(amount, debt=other) == Split(max(amount - other, 0), min(amount, other))
    assert split_claw_back(amount, available=other) == Split(-min(amount, other), -max(amount - other, 0))


@pytest.mark.parametrize("amount, other", [(0, 0), (-1, 0), (1, -1)])
def test_what_cannot_be_split_is_a_programming_error(amount: int, other: int) -> None:
    with pytest.raises(AssertionError):
        split_credit(amount, debt=other)
    if other >= 0:
        with pytest.raises(AssertionError):
            split_claw_back(amount, available=other)


def test_every_fact_of_a_posting_is_in_its_hash() -> None:
    facts = {
        "account_id": UUID(int=1), "sequence": 1, "entry_id": UUID(int=2), "amount": 3, "currency": "IDR",
        "balance_after": 4,
    }  # fmt: skip
    other = {
        "account_id": UUID(int=9), "sequence": 9, "entry_id": UUID(int=9), "amount": 9, "currency": "USD",
        "balance_after": 9,
    }  # fmt: skip
    hashes = {chain_hash("", **facts | {name: other[name]}) for name in facts} | {chain_hash("x", **facts)}  # type: ignore[arg-type]
    assert chain_hash("", **facts) not in hashes  # type: ignore[arg-type]
    assert len(hashes) == len(facts) + 1


# --- verbs ----------------------------------------------------------------------------------------------


@pytest.fixture
def owner(portal: Flask) -> Iterator[UUID]:
    """A customer; afterwards the ledger's own proofs hold."""
    yield open_customer()
    db.session.rollback()
    assert [str(found) for check in CHECKS for found in check(db.session())] == []


def top_up(customer_id: UUID, amount: int, *, key: str | None = None) -> bool:
    with transaction() as session:
        return actions.credit_top_up(
            session, customer_id, rupiah(amount), gateway="midtrans", key=key or uuid4().hex, payment_id=uuid4(),
            line=Line(Type.TOP_UP, "top_up", {}), now=clock.now(),
        )  # fmt: skip


def take_back(customer_id: UUID, amount: int, *, key: str | None = None) -> bool:
    with transaction() as session:
        return actions.take_back_top_up(
            session, customer_id, rupiah(amount), kind=EntryKind.CHARGEBACK, gateway="midtrans",
            key=key or uuid4().hex, payment_id=uuid4(), line=Line(Type.REFUND, "top_up_charged_back", {}),
            now=clock.now(),
        )  # fmt: skip


def pay(customer_id: UUID, total: int, *, ppn: int = 0, key: str | None = None) -> UUID | None:
    with transaction() as session:
        return actions.pay(
            session, customer_id, rupiah(total), ppn=rupiah(ppn), key=key or uuid4().hex, now=clock.now(),
            about=Reference("test", uuid4()), line=Line(Type.SUBSCRIPTION, "subscription", {}),
        )  # fmt: skip


def refund(customer_id: UUID, total: int, entry_id: UUID, *, ppn: int = 0, key: str = "refund") -> bool:
    with transaction() as session:
        return actions.refund_purchase(
            session, customer_id, rupiah(total), ppn=rupiah(ppn), key=key, about=Reference("test", uuid4()),
            corrects_id=entry_id, line=Line(Type.REFUND, "provisioning_refund", {}), now=clock.now(),
        )  # fmt: skip


def on(kind: AccountKind) -> int:
    """The sum of an account kind's postings, credit positive."""
    db.session.rollback()
    statement = sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0)).join(LedgerAccount)
    return int(db.session().scalars(statement.where(LedgerAccount.kind == kind)).one())


def woken() -> int:
    db.session.rollback()
    event = OutboxMessage.arguments["event"].astext == "wallet.credited"
    return db.session().scalar(sa.select(sa.func.count()).where(event)) or 0


def test_a_credit_is_booked_once_per_key(owner: UUID) -> None:
    assert [top_up(owner, 50_000, key="one") for _ in range(3)] == [True, False, False]
    assert (balance(owner), entries(), woken()) == (50_000, 1, 1)
    assert on(AccountKind.GATEWAY_CLEARING) == -50_000


def test_a_claw_back_of_spent_credit_is_a_debt_that_blocks_spending(owner: UUID) -> None:
    top_up(owner, 50_000)
    pay(owner, 30_000)
    assert [take_back(owner, 50_000, key="one") for _ in range(2)] == [True, False]
    assert (balance(owner), debt(owner)) == (0, 30_000)
    with pytest.raises(InsufficientCredit):
        pay(owner, 1)


@pytest.mark.parametrize("way", ["top_up", "adjust", "refund"])
def test_every_kind_of_credit_pays_the_debt_first(owner: UUID, way: str) -> None:
    top_up(owner, 50_000)
    entry_id = pay(owner, 30_000, ppn=2_973)
    assert entry_id is not None
    take_back(owner, 50_000)
    {
        "top_up": lambda: top_up(owner, 30_000),
        "adjust": lambda: give(owner, 30_000),
        "refund": lambda: refund(owner, 30_000, entry_id, ppn=2_973),
    }[way]()
    assert (balance(owner), debt(owner)) == (0, 0)
    give(owner, 1)
    assert balance(owner) == 1


def test_a_purchase_pays_revenue_and_ppn_in_one_entry_and_its_refund_mirrors_it(owner: UUID) -> None:
    top_up(owner, 50_000)
    entry_id = pay(owner, 25_000, ppn=2_477, key="charge")
    assert entry_id is not None
    assert (on(AccountKind.REVENUE), on(AccountKind.PPN_PAYABLE), balance(owner)) == (22_523, 2_477, 25_000)
    assert db.session().scalar(sa.select(sa.func.count()).where(Posting.entry_id == entry_id)) == 3
    assert [refund(owner, 25_000, entry_id, ppn=2_477) for _ in range(2)] == [True, False]
    assert (on(AccountKind.REVENUE), on(AccountKind.PPN_PAYABLE), balance(owner)) == (0, 0, 50_000)
    note = db.session().scalars(sa.select(JournalEntry).where(JournalEntry.kind == "PURCHASE_REFUND")).one()
    assert note.corrects_id == entry_id


def test_a_purchase_without_ppn_has_two_sides(owner: UUID) -> None:
    top_up(owner, 50_000)
    entry_id = pay(owner, 25_000)
    assert db.session().scalar(sa.select(sa.func.count()).where(Posting.entry_id == entry_id)) == 2


def test_a_free_purchase_books_nothing(owner: UUID) -> None:
    assert pay(owner, 0) is None
    assert entries() == 0


def test_too_little_credit_names_exactly_what_is_missing(owner: UUID) -> None:
    give(owner, 24_999)
    with pytest.raises(InsufficientCredit) as refusal:
        pay(owner, 25_000)
    assert (refusal.value.shortfall, balance(owner), entries()) == (rupiah(1), 24_999, 1)


def test_a_repeated_payment_is_no_refusal_although_nothing_is_left(owner: UUID) -> None:
    give(owner, 25_000)
    assert pay(owner, 25_000, key="one") is not None
    assert pay(owner, 25_000, key="one") is None
    assert (balance(owner), entries("PURCHASE")) == (0, 1)


def adjust(customer_id: UUID, amount: int, key: str) -> bool:
    with transaction() as session:
        return actions.adjust(session, customer_id, rupiah(amount), key=key, reason="told by phone", now=clock.now())


def test_a_correction_downwards_stops_at_zero_and_is_booked_once(owner: UUID) -> None:
    assert adjust(owner, 10_000, "up") is True
    assert [adjust(owner, -10_000, "down") for _ in range(2)] == [True, False]
    with pytest.raises(InsufficientCredit):
        adjust(owner, -1, "more")
    assert (balance(owner), on(AccountKind.ADJUSTMENTS)) == (0, 0)
    reasons = db.session().scalars(sa.select(Transaction.parameters)).all()
    assert reasons == [{"reason": "told by phone"}] * 2


def test_only_credit_wakes_who_waits_for_it(owner: UUID) -> None:
    adjust(owner, 10_000, "up")
    adjust(owner, -5_000, "down")
    assert woken() == 1


def test_giving_up_credit_takes_all_of_it_once_and_never_touches_a_debt(owner: UUID) -> None:
    give(owner, 12_345)
    for wanted in (12_345, 0):
        with transaction() as session:
            assert actions.forfeit(session, owner, now=clock.now()) == rupiah(wanted)
    assert (balance(owner), on(AccountKind.FORFEITS)) == (0, 12_345)
    give(owner, 1)
    with transaction() as session:
        assert actions.forfeit(session, owner, now=clock.now()) == rupiah(1)


def test_each_line_shows_the_balance_before_and_after(owner: UUID) -> None:
    top_up(owner, 50_000)
    pay(owner, 20_000)
    take_back(owner, 50_000)
    top_up(owner, 30_000)
    lines = db.session().scalars(sa.select(Transaction).order_by(Transaction.id)).all()
    shown = [(line.amount, line.balance_before, line.balance_after) for line in lines]
    assert shown == [(50_000, 0, 50_000), (-20_000, 50_000, 30_000), (-50_000, 30_000, 0), (30_000, 0, 10_000)]
