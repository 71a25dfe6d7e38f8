"""A queue under true concurrency: slots freed, passers-by, offers running out and purchases, all in one moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import waitlist as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import Busy
from portal.subscriptions.actions import waiting
from portal.subscriptions.models import Subscription, WaitlistEntry
from portal.wallet.models import AccountKind
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.subscriptions import line
from tests.subscriptions.test_waiting import OTHER_WORK

pytestmark = pytest.mark.usefixtures("clean_books")
LIKELY = {"QuotaExceeded", "Busy"}


def work() -> None:
    run_due_work(without=OTHER_WORK)


def patiently(deed: Callable[[], Any]) -> None:
    """As a job's retry or an edge would: tried again while somebody holds the locks."""
    for _ in range(20):
        try:
            deed()
            return
        except Busy:
            db.session.rollback()
    raise AssertionError("never got its turn")


def in_line(plan: UUID) -> list[str]:
    """Statuses of a plan's entries in the order in which they joined."""
    db.session.rollback()
    statement = sa.select(WaitlistEntry.status).where(WaitlistEntry.plan_id == plan)
    return list(db.session().scalars(statement.order_by(WaitlistEntry.joined_at, WaitlistEntry.id)))


def free_one(subscription_id: UUID) -> None:
    instance = shop.instance_of(subscription_id)
    shop.fail(instance)
    shop.clean_up(instance)


def test_five_freed_slots_are_five_offers_in_order_whoever_passes_by(portal: Flask) -> None:
    plan = line.sold_out(slots=5)
    owned = list(db.session().scalars(sa.select(Subscription.id)))
    for _ in range(20):
        line.join(line.somebody(0), plan)
        clock.advance(timedelta(seconds=1))
    work()
    passers_by = [line.somebody() for _ in range(8)]
    deeds: list[Callable[[], Any]] = [partial(patiently, partial(free_one, one)) for one in owned]
    deeds += [partial(shop.buy, customer, plan) for customer in passers_by]
    deeds += [partial(patiently, partial(jobs.offer_next, str(plan))) for _ in range(6)]
    outcomes = all_at_once(portal, deeds)
    assert set(errors(outcomes)) <= LIKELY
    assert len(errors(outcomes)) >= len(passers_by)
    work()
    assert in_line(plan) == ["OFFERED"] * 5 + ["WAITING"] * 15
    assert shop.slots_used(plan) == 5
    assert [shop.live(customer) for customer in passers_by] == [0] * 8


def test_twenty_looks_at_one_free_slot_are_one_offer(portal: Flask) -> None:
    plan = line.sold_out()
    for _ in range(5):
        line.join(line.somebody(0), plan)
        clock.advance(timedelta(seconds=1))
    work()
    line.free(plan)
    all_at_once(portal, [partial(patiently, partial(jobs.offer_next, str(plan))) for _ in range(20)])
    assert in_line(plan) == ["OFFERED"] + ["WAITING"] * 4
    assert [line.told(one) for one in customers(plan)].count(["waitlist_offer"]) == 1


def customers(plan: UUID) -> list[UUID]:
    return list(db.session().scalars(sa.select(WaitlistEntry.customer_id).where(WaitlistEntry.plan_id == plan)))


@pytest.mark.parametrize("round_", range(3))
def test_an_offer_that_runs_out_as_it_is_taken_is_one_or_the_other(portal: Flask, round_: int) -> None:
    plan = line.sold_out()
    first, second = line.somebody(), line.somebody(0)
    entries = [line.join(first, plan), line.join(second, plan)]
    line.free(plan)
    work()
    clock.advance(timedelta(hours=24))
    deeds: list[Callable[[], Any]] = [partial(shop.buy, first, plan), jobs.expire_offers, jobs.expire_offers]
    outcomes = all_at_once(portal, deeds[round_:] + deeds[:round_])
    assert set(errors(outcomes)) <= LIKELY
    work()
    jobs.expire_offers()
    work()
    if shop.live(first):
        assert line.statuses(*entries) == ["SERVED", "WAITING"]
    else:
        assert line.statuses(*entries) == ["MISSED", "OFFERED"]
    assert shop.slots_used(plan) == 1


def test_credit_is_set_aside_or_spent_never_both(portal: Flask) -> None:
    plan, other = line.sold_out(), shop.another_app()
    customer = line.somebody()
    deeds = [partial(line.join, customer, plan, automatic=True), partial(shop.buy, customer, other)] * 4
    outcomes = all_at_once(portal, deeds)
    assert set(errors(outcomes)) <= {"InsufficientCredit", "DuplicateSubscription", "Busy"}
    assert shop.balance(customer) == 0
    assert (shop.balance(customer, AccountKind.HELD), shop.live(customer)) in {(PRICE, 0), (0, 1)}


def test_joining_ten_times_at_once_is_one_place_and_one_hold(portal: Flask) -> None:
    plan, customer = line.sold_out(), line.somebody(2 * PRICE)
    outcomes = all_at_once(portal, [partial(line.join, customer, plan, automatic=True) for _ in range(10)])
    assert set(errors(outcomes)) <= {"Busy"}
    assert (shop.count(WaitlistEntry), shop.entries("HOLD"), shop.balance(customer)) == (1, 1, PRICE)


def test_leaving_and_being_served_at_once_is_one_or_the_other(portal: Flask) -> None:
    plan, customer, behind = line.sold_out(), line.somebody(), line.somebody(0)
    entries = [line.join(customer, plan, automatic=True), line.join(behind, plan)]
    work()
    line.free(plan)
    deeds = [partial(line.leave, entries[0], customer)] * 2 + [partial(jobs.offer_next, str(plan))] * 4
    all_at_once(portal, deeds)
    work()
    assert line.statuses(*entries) in (["LEFT", "OFFERED"], ["SERVED", "WAITING"])
    assert shop.balance(customer) == (0 if shop.live(customer) else PRICE)
    assert shop.balance(customer, AccountKind.HELD) == 0


def test_the_last_slot_is_held_by_one_or_bought_by_one(portal: Flask) -> None:
    plan = shop.sell(slots=1)
    holders, buyers = [line.somebody(0) for _ in range(6)], [line.somebody() for _ in range(6)]
    deeds = [partial(line.note_intent, one, plan, hold=True) for one in holders]
    deeds += [partial(shop.buy, one, plan) for one in buyers]
    outcomes = all_at_once(portal, deeds)
    assert set(errors(outcomes)) <= LIKELY
    assert len(errors(outcomes)) == 11
    assert shop.slots_used(plan) == 1


def test_a_hold_that_ends_as_the_money_comes_launches_once_or_frees_once(portal: Flask) -> None:
    plan, customer = shop.sell(slots=1), line.somebody(0)
    one = line.note_intent(customer, plan, hold=True)
    shop.give(customer, PRICE)
    clock.advance(timedelta(minutes=30))
    from portal.subscriptions import intents

    def fulfil() -> None:
        with transaction() as session:
            intents.fulfil(session, one, now=clock.now())

    all_at_once(portal, [fulfil, jobs.release_launch_holds, fulfil, jobs.release_launch_holds])
    work()
    assert (line.intent(one).status, shop.live(customer), shop.slots_used(plan)) == ("FULFILLED", 1, 1)


def test_a_debt_and_a_turn_at_once_lose_no_rupiah(portal: Flask) -> None:
    plan, customer = line.sold_out(), shop.open_customer()
    order = shop.Order(customer, PRICE)
    order.hear("settlement")
    line.join(customer, plan, automatic=True)
    work()
    line.free(plan)
    deeds = [partial(order.hear, "chargeback", taken_back=PRICE), partial(jobs.offer_next, str(plan)),
             partial(jobs.pay_debt_from_holds, str(customer)), partial(jobs.offer_next, str(plan))]  # fmt: skip
    all_at_once(portal, deeds)
    work()
    assert shop.balance(customer) == 0
    assert shop.balance(customer, AccountKind.HELD) == 0
    assert shop.debt(customer) == (PRICE if shop.live(customer) else 0)


def test_everybody_leaves_at_once_and_nothing_stays_behind(portal: Flask) -> None:
    plan = line.sold_out(slots=2)
    people = [line.somebody() for _ in range(8)]
    for customer in people:
        line.join(customer, plan, automatic=True)
    work()
    line.free(plan, many=2)

    def go(customer: UUID) -> None:
        with transaction() as session:
            waiting.stop_waiting(session, customer, now=clock.now())

    all_at_once(portal, [partial(patiently, partial(go, one)) for one in people] + [partial(work_on, plan)] * 2)
    work()
    assert sum(shop.balance(one) for one in people) == PRICE * (8 - sum(shop.live(one) for one in people))
    assert set(in_line(plan)) <= {"LEFT", "SERVED"}


def work_on(plan: UUID) -> None:
    patiently(partial(jobs.offer_next, str(plan)))
