"""Where several things happen to one customer at once: who waits for whom, and what is never waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty
from sqlalchemy.orm import Session

from jobs import runner
from jobs import subscriptions as jobs
from portal.catalog import actions as catalog
from portal.catalog.models import Plan, PlanPrice
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.instances.models import Instance
from portal.subscriptions import actions
from portal.subscriptions.actions import Purchase, renewing
from portal.subscriptions.errors import SlotIsFree
from tests.books import shop
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.subscriptions import line
from tests.subscriptions.course import come_up, now_of, pass_time, told
from tests.subscriptions.line import join, somebody

PATIENCE_S = 10
CLUSTER_WORK = ("instances.provision", "instances.check")


@pytest.fixture(autouse=True)
def clean_books(portal: Flask) -> Iterator[None]:
    yield
    assert_books_are_clean()


# --- plans are locked before wallets ----------------------------------------------------------------------


@pytest.mark.parametrize("held", ["its own", "the one offered"])
def test_who_comes_back_locks_every_plan_before_the_wallet(portal: Flask, held: str) -> None:
    owner, subscription_id, plans = asleep_with_an_offer()
    shop.give(owner, PRICE)

    def come_back(session: Session) -> str:
        return str(renewing.pay_owed(session, subscription_id, now=clock.now()))

    assert meanwhile_somebody_has(portal, plans[held], owner, come_back) == (True, "RESUMED")


def test_who_cancels_locks_the_plan_before_the_wallet(portal: Flask) -> None:
    plan, owner = shop.sell(), somebody()
    subscription_id = shop.buy(owner, plan)
    with transaction() as session:
        app = session.get_one(Instance, shop.instance_of(subscription_id))
        app.wanted, app.fenced_at, app.cleaned_up_at = "ABSENT", clock.now(), clock.now()

    def cancel(session: Session) -> str:
        return actions.cancel_now(session, subscription_id, owner, now=clock.now()).status

    assert meanwhile_somebody_has(portal, plan, owner, cancel) == (True, "CANCELLED")
    assert shop.slots_used(plan) == 0


def asleep_with_an_offer() -> tuple[UUID, UUID, dict[str, UUID]]:
    """An owner, their suspended subscription, and the two plans: a slot of the higher one is offered to them."""
    basic, owner = shop.sell(), somebody()
    pro = higher(basic)
    subscription_id = shop.buy(owner, basic)
    come_up(subscription_id)
    join(owner, pro, total=2 * PRICE)
    for days in (40, 8):
        pass_time(days=days)
        jobs.renew_due()
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == pro).values(slots_total=1))
    line.offer(pro)
    return owner, subscription_id, {"its own": basic, "the one offered": pro}


def higher(plan_id: UUID) -> UUID:
    """The next tier of the same app, sold out."""
    with transaction() as session:
        basic = session.get_one(Plan, plan_id)
        pro = Plan(
            service_id=basic.service_id, plan_type="PRO", name="Pro", cpu_millicores=500, memory_mib=1024,
            storage_gib=5, slots_total=0,
        )  # fmt: skip
        session.add(pro)
        session.flush()
        session.add(PlanPrice(plan_id=pro.id, amount=2 * PRICE))
        return pro.id


def meanwhile_somebody_has(
    portal: Flask, plan_id: UUID, customer_id: UUID, deed: Callable[[Session], str]
) -> tuple[bool, object]:
    """Does the deed while somebody else holds the plan: was the wallet still free then, and how did it end?"""
    ends: list[object] = []
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT id FROM plan WHERE id = :p FOR NO KEY UPDATE"), {"p": plan_id})
        thread = threading.Thread(target=_do, args=(portal, deed, ends), daemon=True)
        thread.start()
        _until_somebody_waits()
        free = _wallet_is_free(other, customer_id)
        other.rollback()
    thread.join(PATIENCE_S)
    return free, ends[0]


def _do(portal: Flask, deed: Callable[[Session], str], ends: list[object]) -> None:
    with portal.app_context():
        try:
            with transaction() as session:
                ends.append(deed(session))
        except BaseException as error:
            ends.append(error)
        finally:
            db.session.remove()


def _until_somebody_waits() -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    with db.engine.connect() as looking:
        while not looking.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert time.monotonic() < give_up_at, "it never came to the plan"


def _wallet_is_free(connection: sa.Connection, customer_id: UUID) -> bool:
    statement = sa.text("SELECT id FROM ledger_account WHERE customer_id = :c FOR UPDATE SKIP LOCKED")
    return len(connection.execute(statement, {"c": customer_id}).all()) == 3


# --- queues ---------------------------------------------------------------------------------------------


def test_the_year_of_the_plan_one_has_needs_no_slot_and_no_place_in_its_queue(portal: Flask) -> None:
    plan, owner = shop.sell(slots=1), somebody()
    with transaction() as session:
        session.add(PlanPrice(plan_id=plan, interval="YEARLY", amount=10 * PRICE))
    shop.buy(owner, plan)
    with pytest.raises(SlotIsFree):
        join(owner, plan, interval="YEARLY", total=10 * PRICE)


# --- prices -----------------------------------------------------------------------------------------------


def test_who_was_buying_at_the_old_price_while_it_was_announced_learns_of_the_new_one(portal: Flask) -> None:
    plan, owner = shop.sell(), somebody()
    bought, told_all = threading.Event(), threading.Event()

    def buy_slowly(session: Session) -> UUID:
        purchase = Purchase(plan, "MONTHLY", rupiah(PRICE), "slowly")
        subscription_id = actions.subscribe(session, owner, purchase, now=clock.now()).id
        bought.set()
        assert told_all.wait(PATIENCE_S)
        return subscription_id

    ends: list[object] = []
    thread = threading.Thread(target=_do, args=(portal, buy_slowly, ends), daemon=True)
    with transaction() as session:
        catalog.change_price(session, plan, "MONTHLY", 2 * PRICE, actor=None, now=clock.now())
        outbox.enqueue(session, "prices.announce", plan_id=plan, interval="MONTHLY")
        session.flush()
        thread.start()
        _until_somebody_waits()
    assert bought.wait(PATIENCE_S), ends
    run_due_work(without=CLUSTER_WORK)
    told_all.set()
    thread.join(PATIENCE_S)
    assert (price_to_come(ends[0]), told("price_announced")) == (None, [])
    pass_time(minutes=10)
    run_due_work(without=CLUSTER_WORK)
    assert price_to_come(ends[0]) == 2 * PRICE
    assert len(told("price_announced")) == 1


def price_to_come(subscription_id: object) -> int | None:
    assert isinstance(subscription_id, UUID), subscription_id
    return now_of(subscription_id).next_price


# --- time -------------------------------------------------------------------------------------------------


def test_when_a_jobs_time_is_up_it_does_not_go_on_with_the_next(portal: Flask) -> None:
    owner, plans = somebody(2 * PRICE), (shop.sell(), shop.another_app())
    paid = [shop.buy(owner, plan) for plan in plans]
    for each in paid:
        come_up(each)
    pass_time(days=31)
    jobs.renew_due()
    shop.give(owner, 2 * PRICE)
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT id FROM subscription WHERE id = :s FOR NO KEY UPDATE"), {"s": paid[0]})
        with transaction() as session:
            message = outbox.enqueue(session, "subscriptions.use_credit", customer_id=owner)
        with UnixSignalDeathPenalty(1, JobTimeoutException):
            assert runner.perform(str(message)) == "retry"
        other.rollback()
    assert "JobTimeoutException" in (db.session().get_one(OutboxMessage, message).last_error or "")
    assert [now_of(each).status for each in paid] == ["PAST_DUE", "PAST_DUE"]
    pass_time(minutes=1)
    assert runner.perform(str(message)) == "done"
    assert [now_of(each).status for each in paid] == ["ACTIVE", "ACTIVE"]


def test_what_interrupts_a_savepoint_is_not_hidden_by_the_cleaning_up(portal: Flask) -> None:
    with pytest.raises(JobTimeoutException), UnixSignalDeathPenalty(1, JobTimeoutException):
        with transaction() as session, session.begin_nested():
            session.execute(sa.text("SELECT pg_sleep(20)"))
    with transaction() as session:
        assert session.scalar(sa.text("SELECT 1")) == 1
