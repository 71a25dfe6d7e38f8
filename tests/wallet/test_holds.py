"""Credit set aside: it is still the customer's, spends on nothing else, and never hides from a debt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_babel import force_locale

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.wallet import holds, queries, wording
from portal.wallet.actions import Line
from portal.wallet.errors import InsufficientCredit
from portal.wallet.ledger import Reference
from portal.wallet.models import AccountKind, Transaction
from portal.wallet.models import TransactionType as Type
from portal.wallet.proofs import CHECKS
from tests.books.crowd import all_at_once, errors
from tests.books.shop import balance, debt, entries, give, open_customer
from tests.wallet.test_ledger_verbs import take_back

ABOUT = Reference("waitlist_entry", UUID(int=7))


@pytest.fixture
def owner(portal: Flask) -> Iterator[UUID]:
    """A customer with Rp50.000; afterwards the ledger's own proofs hold."""
    customer = open_customer()
    give(customer, 50_000)
    yield customer
    db.session.rollback()
    assert [str(found) for check in CHECKS for found in check(db.session())] == []


def hold(customer_id: UUID, amount: int, *, key: str | None = None) -> bool:
    with transaction() as session:
        line = Line(Type.HOLD, "waitlist_hold", {"app": "n8n", "plan": "Basic"})
        return holds.hold(
            session, customer_id, rupiah(amount), key=key or uuid4().hex, about=ABOUT, line=line, now=clock.now()
        )


def release(customer_id: UUID, amount: int, *, key: str | None = None) -> bool:
    with transaction() as session:
        line = Line(Type.HOLD, "waitlist_release", {"app": "n8n", "plan": "Basic"})
        return holds.release(
            session, customer_id, rupiah(amount), key=key or uuid4().hex, about=ABOUT, line=line, now=clock.now()
        )


def held(customer_id: UUID) -> int:
    return balance(customer_id, AccountKind.HELD)


def heard(event: str) -> int:
    statement = sa.select(OutboxMessage).where(OutboxMessage.arguments["event"].astext == event)
    return len(db.session().scalars(statement).all())


def test_what_is_set_aside_is_still_there_but_not_to_be_spent(owner: UUID) -> None:
    assert hold(owner, 30_000)
    assert (balance(owner), held(owner)) == (20_000, 30_000)
    overview = queries.overview(db.session(), owner, now=clock.now())
    assert (overview.available, overview.held, overview.spent) == (rupiah(20_000), rupiah(30_000), rupiah(0))


def test_more_than_there_is_cannot_be_set_aside(owner: UUID) -> None:
    with pytest.raises(InsufficientCredit) as refused:
        hold(owner, 50_001)
    assert refused.value.shortfall == rupiah(1)
    db.session.rollback()
    assert (balance(owner), held(owner)) == (50_000, 0)


def test_a_repeat_of_a_key_moves_nothing(owner: UUID) -> None:
    assert [hold(owner, 50_000, key="h"), hold(owner, 50_000, key="h")] == [True, False]
    assert [release(owner, 50_000, key="r"), release(owner, 50_000, key="r")] == [True, False]
    assert (balance(owner), held(owner), entries()) == (50_000, 0, 3)


def test_both_ways_have_a_line_with_the_balance_before_and_after(owner: UUID) -> None:
    hold(owner, 30_000)
    release(owner, 30_000)
    lines = db.session().scalars(sa.select(Transaction).where(Transaction.type == Type.HOLD)).all()
    figures = sorted((line.amount, line.balance_before, line.balance_after) for line in lines)
    assert figures == [(-30_000, 50_000, 20_000), (30_000, 20_000, 50_000)]
    with force_locale("en"):
        assert {wording.line_text(line) for line in lines} == {
            "Set aside for n8n Basic, which you wait for",
            "n8n Basic: what was set aside is yours to spend again",
        }


def test_what_comes_back_pays_a_debt_first_and_is_a_credit_like_any(owner: UUID) -> None:
    hold(owner, 30_000)
    take_back(owner, 45_000)
    assert (balance(owner), held(owner), debt(owner)) == (0, 30_000, 25_000)
    credits = heard("wallet.credited")
    release(owner, 30_000)
    assert (balance(owner), held(owner), debt(owner)) == (5_000, 0, 0)
    assert heard("wallet.credited") == credits + 1


def test_a_claw_back_that_makes_a_debt_calls_for_what_is_set_aside(owner: UUID) -> None:
    hold(owner, 30_000)
    take_back(owner, 20_000)
    assert heard("wallet.indebted") == 0
    take_back(owner, 1)
    assert heard("wallet.indebted") == 1


def test_nothing_is_set_aside_twice_at_once(portal: Flask, owner: UUID) -> None:
    outcomes = all_at_once(portal, [partial(hold, owner, 30_000) for _ in range(8)])
    assert errors(outcomes) == ["InsufficientCredit"] * 7
    assert (balance(owner), held(owner)) == (20_000, 30_000)


def test_more_than_is_held_is_never_given_back(owner: UUID) -> None:
    hold(owner, 10_000)
    with pytest.raises(sa.exc.IntegrityError):
        release(owner, 10_001)
    db.session.rollback()
