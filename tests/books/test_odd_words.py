"""Odd things a gateway may say, and settings that change meanwhile: the books follow the facts, not the last word."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from config import settings
from portal.core.db import db
from portal.core.money import Money, rupiah
from portal.payments.models import GatewayTransaction, Payment
from portal.wallet.models import AccountKind, LedgerAccount, Posting
from sandbox.server import SandboxServer
from tests.books import shop
from tests.books.shop import Order
from tests.instances.world import PRICE
from tests.payments.counter import Counter
from tests.personas import Person

pytestmark = pytest.mark.usefixtures("clean_books")


def status(order: Order) -> str:
    db.session.close()
    return db.session().scalars(sa.select(Payment.status).where(Payment.id == order.payment_id)).one()


def on(kind: AccountKind) -> int:
    statement = sa.select(sa.func.coalesce(sa.func.sum(Posting.amount), 0)).join(LedgerAccount)
    return int(db.session().scalars(statement.where(LedgerAccount.kind == kind)).one())


@pytest.mark.parametrize("word, name", [("refund", "REFUNDED"), ("chargeback", "CHARGED_BACK"), ("deny", "REVERSED")])
def test_news_of_another_try_does_not_rename_how_the_money_went_back(customer: UUID, word: str, name: str) -> None:
    order = Order(customer)
    order.hear("settlement")
    order.hear(word, taken_back=50_000)
    for other in ("deny", "expire", "pending"):
        order.hear(other, transaction_id="t2")
    assert (status(order), shop.balance(customer)) == (name, 0)


def test_an_amount_that_changes_on_the_way_is_held_and_is_no_difference_in_the_books(customer: UUID) -> None:
    order = Order(customer)
    order.hear("pending")
    order.hear("settlement", amount=rupiah(40_000), amount_text="40000.00")
    assert (status(order), shop.balance(customer)) == ("IN_REVIEW", 0)
    assert db.session().scalars(sa.select(GatewayTransaction.gross_amount)).all() == [40_000]


@pytest.mark.parametrize("amount", [None, Money(50_000, "USD")])
def test_what_was_unreadable_once_is_credited_when_it_is_right(customer: UUID, amount: Money | None) -> None:
    order = Order(customer)
    order.hear("settlement", amount=amount)
    assert (status(order), shop.balance(customer)) == ("IN_REVIEW", 0)
    order.hear("settlement")
    assert (status(order), shop.balance(customer)) == ("SETTLED", 50_000)
    assert db.session().scalars(sa.select(GatewayTransaction.gross_amount)).all() == [50_000]


def test_figures_that_shrink_give_nothing_back_and_those_that_grow_take_the_difference(customer: UUID) -> None:
    order = Order(customer)
    order.hear("settlement")
    for taken in (10_000, 4_000, 10_000, 0, 25_000):
        order.hear("partial_refund", taken_back=taken)
    assert (shop.balance(customer), shop.entries("GATEWAY_REFUND")) == (25_000, 2)


def test_more_than_was_paid_is_never_taken(customer: UUID) -> None:
    order = Order(customer)
    order.hear("settlement")
    order.hear("chargeback", taken_back=500_000)
    assert (shop.balance(customer), shop.debt(customer)) == (0, 0)


def test_a_chargeback_beside_an_empty_refund_figure_is_taken(outside: SandboxServer, ayu: Person) -> None:
    counter = Counter(outside, ayu.customer_id)
    payment = counter.ask()
    counter.pay(payment)
    counter.look(payment)
    words = {"transaction_status": "partial_chargeback", "refund_amount": "0.00", "chargeback_amount": "10000.00"}
    outside.midtrans.inject("answer_says", set=words)
    counter.look(payment)
    assert counter.balance == 40_000


def test_a_refund_gives_back_the_ppn_of_its_invoice_whatever_todays_rate_is(
    portal: Flask, customer: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.give(customer, PRICE)
    instance = shop.instance_of(shop.buy(customer, shop.sell()))
    assert on(AccountKind.PPN_PAYABLE) > 0
    monkeypatch.setenv("PPN_RATE_PERCENT", "25")
    settings.cache_clear()
    shop.fail(instance)
    monkeypatch.undo()
    settings.cache_clear()
    assert (on(AccountKind.PPN_PAYABLE), on(AccountKind.REVENUE), shop.balance(customer)) == (0, 0, PRICE)
