"""True concurrency on committed rows: whoever comes at the same moment, every rupiah and every slot moves once."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from jobs import runner
from jobs import subscriptions as subscription_jobs
from portal.core import clock, job_runs, outbox
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.instances.models import Instance
from portal.invoices.models import Document
from portal.payments import actions as payments
from portal.payments.actions import TopUp
from portal.payments.models import GatewayEvent, Payment
from portal.subscriptions import intents
from portal.subscriptions.models import LaunchIntent, Subscription, SubscriptionCharge
from portal.wallet import actions as wallet
from portal.wallet.errors import InsufficientCredit
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType
from sandbox.server import SandboxServer
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.payments.counter import PAPERWORK, Counter
from tests.personas import Person

LYING = (*PAPERWORK, "instances.provision")


# --- notifications --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean_books")
def test_twenty_parallel_notifications_are_one_credit_and_all_are_answered(
    portal: Flask, outside: SandboxServer, ayu: Person
) -> None:
    counter = Counter(outside, ayu.customer_id)
    payment = counter.ask(50_000)
    counter.pay(payment)
    body = outside.midtrans.notifications(order_id=counter.order_id(payment))[-1].body
    answers = all_at_once(portal, [partial(post, portal, body)] * 20)
    assert answers == [200] * 20
    ids = due_messages("payments.process_notification")
    assert len(ids) == 1
    assert errors(all_at_once(portal, [partial(runner.perform, str(each)) for each in ids])) == []
    run_due_work(without=LYING)
    assert (counter.balance, counter.entries()) == (50_000, 1)
    assert db.session().query(GatewayEvent).one().received_count == 20


def post(app: Flask, body: bytes) -> int:
    """One notification through the portal's own door."""
    answer = app.test_client().post("/webhooks/midtrans", data=body, content_type="application/json")
    assert json.loads(answer.data) == {"status": "queued"}
    return answer.status_code


def due_messages(name: str) -> list[UUID]:
    found = [m.id for m in db.session().query(outbox.OutboxMessage).filter_by(name=name, done_at=None)]
    db.session.rollback()
    return found


@pytest.mark.usefixtures("clean_books")
def test_twenty_workers_hearing_the_same_settlement_credit_once(portal: Flask, customer: UUID) -> None:
    order = Order(customer)
    outcomes = all_at_once(portal, [partial(order.hear, "settlement")] * 20)
    assert errors(outcomes) == []
    assert sum(outcome.moved for outcome in outcomes) == 1
    assert (shop.balance(customer), shop.entries()) == (50_000, 1)
    assert shop.count(Document) == 1


@pytest.mark.usefixtures("clean_books")
def test_a_settlement_and_its_chargeback_at_once_leave_nothing(portal: Flask, customer: UUID) -> None:
    order = Order(customer)
    deeds = [partial(order.hear, "settlement"), partial(order.hear, "chargeback", taken_back=50_000)] * 8
    assert errors(all_at_once(portal, deeds)) == []
    order.hear("chargeback", taken_back=50_000)
    assert (shop.balance(customer), shop.debt(customer), shop.entries()) == (0, 0, 2)


# --- debits ---------------------------------------------------------------------------------------------


def test_fifty_parallel_debits_on_a_balance_for_ten_let_exactly_ten_through(portal: Flask, customer: UUID) -> None:
    shop.give(customer, 10 * PRICE)
    outcomes = all_at_once(portal, [partial(debit, customer)] * 50)
    assert errors(outcomes) == ["InsufficientCredit"] * 40
    assert (shop.balance(customer), shop.entries("PURCHASE")) == (0, 10)
    shortfalls = {error.shortfall for error in outcomes if isinstance(error, InsufficientCredit)}
    assert shortfalls == {rupiah(PRICE)}


def debit(customer_id: UUID) -> UUID | None:
    with transaction() as session:
        return wallet.pay(
            session, customer_id, rupiah(PRICE), ppn=rupiah(2_477), key=uuid4().hex, now=clock.now(),
            about=Reference("test", uuid4()), line=wallet.Line(TransactionType.SUBSCRIPTION, "x", {}),
        )  # fmt: skip


def test_one_key_debited_by_twenty_is_debited_once(portal: Flask, customer: UUID) -> None:
    shop.give(customer, PRICE)
    outcomes = all_at_once(portal, [partial(debit_under, customer, "one")] * 20)
    assert errors(outcomes) == []
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert shop.balance(customer) == 0


def debit_under(customer_id: UUID, key: str) -> UUID | None:
    with transaction() as session:
        return wallet.pay(
            session, customer_id, rupiah(PRICE), ppn=rupiah(2_477), key=key, now=clock.now(),
            about=Reference("test", uuid4()), line=wallet.Line(TransactionType.SUBSCRIPTION, "x", {}),
        )  # fmt: skip


# --- subscribing ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clean_books")
def test_ten_parallel_subscribes_are_one_subscription_one_charge_one_instance(portal: Flask, customer: UUID) -> None:
    plan = shop.sell(slots=20)
    shop.give(customer, 20 * PRICE)
    outcomes = all_at_once(portal, [partial(shop.buy, customer, plan) for _ in range(10)])
    assert errors(outcomes) == ["DuplicateSubscription"] * 9
    assert_one_sale(customer, plan, left=19 * PRICE)


@pytest.mark.usefixtures("clean_books")
def test_ten_clicks_on_one_form_all_show_the_same_subscription(portal: Flask, customer: UUID) -> None:
    plan = shop.sell(slots=20)
    shop.give(customer, 20 * PRICE)
    outcomes = all_at_once(portal, [partial(shop.buy, customer, plan, key="form")] * 10)
    assert len(set(outcomes)) == 1
    assert_one_sale(customer, plan, left=19 * PRICE)


def assert_one_sale(customer_id: UUID, plan_id: UUID, *, left: int) -> None:
    assert (shop.balance(customer_id), shop.entries("PURCHASE"), shop.slots_used(plan_id)) == (left, 1, 1)
    assert [shop.count(model) for model in (Subscription, SubscriptionCharge, Instance, Document)] == [1, 1, 1, 1]


@pytest.mark.usefixtures("clean_books")
def test_the_last_slot_is_sold_once_and_the_losers_hear_it_before_they_pay(portal: Flask) -> None:
    plan = shop.sell(slots=1)
    people = [shop.open_customer() for _ in range(10)]
    for person in people:
        shop.give(person, PRICE)
    outcomes = all_at_once(portal, [partial(shop.buy, person, plan) for person in people])
    assert errors(outcomes) == ["QuotaExceeded"] * 9
    assert sorted(shop.balance(person) for person in people) == [0] + [PRICE] * 9
    assert (shop.slots_used(plan), shop.count(Instance), shop.count(Document)) == (1, 1, 1)


@pytest.mark.usefixtures("clean_books")
def test_two_apps_on_credit_for_one_sell_one(portal: Flask, customer: UUID) -> None:
    plans = [shop.sell(slug=slug) for slug in ("n8n",)] + [shop.another_app()]
    shop.give(customer, PRICE)
    outcomes = all_at_once(portal, [partial(shop.buy, customer, plan) for plan in plans])
    assert errors(outcomes) == ["InsufficientCredit"]
    assert (shop.balance(customer), sum(shop.slots_used(plan) for plan in plans)) == (0, 1)


@pytest.mark.usefixtures("clean_books")
def test_a_failure_told_ten_times_at_once_refunds_and_frees_once(portal: Flask, customer: UUID) -> None:
    plan = shop.sell()
    shop.give(customer, PRICE)
    instance = shop.instance_of(shop.buy(customer, plan))
    assert sum(all_at_once(portal, [partial(shop.fail, instance)] * 10)) == 1
    assert (shop.balance(customer), shop.entries("PURCHASE_REFUND"), shop.slots_used(plan)) == (PRICE, 1, 1)
    assert sum(all_at_once(portal, [partial(shop.clean_up, instance)] * 10)) == 1
    assert shop.slots_used(plan) == 0


@pytest.mark.usefixtures("clean_books")
def test_pay_and_launch_races_with_the_customers_own_click(portal: Flask, customer: UUID) -> None:
    plan = shop.sell()
    with transaction() as session:
        intents.note_intent(session, customer, plan, "MONTHLY", now=clock.now())
    shop.give(customer, 3 * PRICE)
    deeds: list[Any] = [partial(subscription_jobs.use_credit, str(customer)), partial(shop.buy, customer, plan)] * 5
    outcomes = all_at_once(portal, deeds)
    assert set(errors(outcomes)) <= {"DuplicateSubscription"}
    assert_one_sale(customer, plan, left=2 * PRICE)
    assert shop.count(LaunchIntent, LaunchIntent.status == "FULFILLED") == 1


@pytest.mark.usefixtures("clean_books")
def test_one_form_sent_by_ten_clicks_is_one_top_up(portal: Flask, customer: UUID) -> None:
    def ask() -> UUID:
        with transaction() as session:
            wanted = TopUp(rupiah(50_000), "qris", "form")
            return payments.request_top_up(session, customer, wanted, now=clock.now()).id

    assert len(set(all_at_once(portal, [ask] * 10))) == 1
    assert shop.count(Payment) == 1


# --- a storm over one wallet ----------------------------------------------------------------------------


@pytest.mark.usefixtures("clean_books")
@pytest.mark.parametrize("round_number", range(3))
def test_a_storm_over_one_wallet_neither_deadlocks_nor_loses_a_rupiah(
    portal: Flask, customer: UUID, round_number: int
) -> None:
    """Purchases lock customer, then wallet; credits lock payment, then wallet, and write rows of the customer."""
    first, second = shop.sell(), shop.another_app()
    shop.give(customer, 2 * PRICE)
    orders = [Order(customer) for _ in range(4)]
    failed = shop.instance_of(shop.buy(customer, first))
    with transaction() as session:
        intents.note_intent(session, customer, second, "MONTHLY", now=clock.now())
    deeds = [
        *[partial(order.hear, "settlement") for order in orders],
        *[partial(order.hear, "chargeback", taken_back=50_000) for order in orders[:2]],
        *[partial(shop.fail, failed)] * 2,
        *[partial(shop.buy, customer, plan) for plan in (first, second)],
        *[partial(shop.give, customer, amount) for amount in (7_000, -1_000)],
        *[partial(subscription_jobs.use_credit, str(customer))] * 2,
        partial(shop.clean_up_if_fenced, failed),
        partial(ask_anew, customer),
    ]
    before = deadlocks()
    outcomes = all_at_once(portal, deeds)
    assert "Busy" not in errors(outcomes)
    assert set(errors(outcomes)) <= {"DuplicateSubscription", "InsufficientCredit"}
    assert deadlocks() == before
    assert_books_are_clean()
    assert shop.debt(customer) == 0 or shop.balance(customer) == 0


def ask_anew(customer_id: UUID) -> None:
    with transaction() as session:
        payments.request_top_up(session, customer_id, TopUp(rupiah(50_000), "qris", uuid4().hex), now=clock.now())


def deadlocks() -> int:
    """How many PostgreSQL had to break so far."""
    import sqlalchemy as sa

    with db.engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    with db.engine.begin() as connection:
        return connection.scalar(sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


# --- workers and schedulers -----------------------------------------------------------------------------


def test_one_message_in_ten_workers_hands_runs_once(portal: Flask, customer: UUID) -> None:
    order = Order(customer)
    with transaction() as session:
        message = outbox.enqueue(session, "payments.expire", payment_id=order.payment_id)
    clock.advance(order.attempt.created_at - clock.now())
    outcomes = all_at_once(portal, [partial(claimed, message)] * 10)
    assert sum(outcome is not None for outcome in outcomes) == 1


def claimed(message_id: Any) -> object:
    with transaction() as session:
        return outbox.claim(session, message_id, now=clock.now())


def test_ten_schedulers_claim_one_moment_once(portal: Flask) -> None:
    def claim() -> bool:
        with transaction() as session:
            return job_runs.claim(session, "books-audit", scheduled_for=clock.now(), now=clock.now())

    assert sorted(all_at_once(portal, [claim] * 10)) == [False] * 9 + [True]
