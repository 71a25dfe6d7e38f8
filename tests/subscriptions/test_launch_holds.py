"""*Pay and launch* with a slot held meanwhile: few, for a short time, and never past those who wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from jobs import waitlist as jobs
from portal.catalog.errors import QuotaExceeded
from portal.core import clock
from portal.core.db import transaction
from portal.subscriptions import intents
from portal.subscriptions.errors import TooManyHolds
from portal.subscriptions.models import LaunchIntent
from tests.books import shop
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.subscriptions import line
from tests.subscriptions.line import free, intent, join, note_intent, somebody, statuses, told
from tests.subscriptions.test_waiting import OTHER_WORK, another_tier

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def clean_books(portal: Flask) -> Iterator[None]:
    yield
    assert_books_are_clean()


@pytest.fixture
def plan(portal: Flask) -> UUID:
    """A plan with two slots, both free."""
    return shop.sell(slots=2)


def work() -> None:
    run_due_work(without=OTHER_WORK)


def cancel(intent_id: UUID, customer: UUID) -> None:
    with transaction() as session:
        intents.cancel_intent(session, intent_id, customer, now=clock.now())


def test_a_slot_is_held_while_somebody_pays(plan: UUID) -> None:
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    assert (shop.slots_used(plan), intent(one).hold_ends_at) == (1, clock.now() + HALF_AN_HOUR)
    shop.buy(somebody(), plan)
    with pytest.raises(QuotaExceeded):
        shop.buy(somebody(), plan)
    shop.give(customer, PRICE)
    work()
    assert (intent(one).status, shop.slots_used(plan), shop.live(customer)) == ("FULFILLED", 2, 1)


def test_without_asking_nothing_is_held(plan: UUID) -> None:
    one = note_intent(somebody(0), plan)
    assert (shop.slots_used(plan), intent(one).hold_ends_at) == (0, None)


def test_asking_again_prolongs_nothing_and_takes_no_second_slot(plan: UUID) -> None:
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    until = intent(one).hold_ends_at
    clock.advance(timedelta(minutes=10))
    assert note_intent(customer, plan, hold=True) == one
    assert note_intent(customer, plan) == one
    assert (intent(one).hold_ends_at, shop.slots_used(plan)) == (until, 1)


def test_the_hold_ends_after_half_an_hour_and_the_launch_goes_on_waiting(plan: UUID) -> None:
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    clock.advance(HALF_AN_HOUR - timedelta(seconds=1))
    assert jobs.release_launch_holds() == {"released": 0}
    clock.advance(timedelta(seconds=1))
    assert [jobs.release_launch_holds()["released"] for _ in range(2)] == [1, 0]
    assert (intent(one).status, intent(one).hold_ends_at, shop.slots_used(plan)) == ("WAITING", None, 0)
    assert told(customer) == ["launch_hold_ended"]
    shop.give(customer, PRICE)
    work()
    assert intent(one).status == "FULFILLED"


def test_money_that_comes_before_the_hold_is_taken_back_still_gets_the_slot(plan: UUID) -> None:
    """Its time is up, but nobody has taken it back yet: it was kept for them all the while."""
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    shop.buy(somebody(), plan)
    clock.advance(HALF_AN_HOUR + timedelta(seconds=5))
    shop.give(customer, PRICE)
    work()
    assert (intent(one).status, jobs.release_launch_holds()) == ("FULFILLED", {"released": 0})


def test_cancelling_frees_the_slot_once(plan: UUID) -> None:
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    for _ in range(2):
        cancel(one, customer)
    assert (intent(one).status, shop.slots_used(plan)) == ("CANCELLED", 0)


def test_a_launch_that_fails_frees_its_slot(plan: UUID) -> None:
    customer = somebody(0)
    one = note_intent(customer, plan, hold=True)
    line.change_price(plan, PRICE + 1)
    shop.give(customer, 2 * PRICE)
    work()
    assert (intent(one).status, shop.slots_used(plan)) == ("FAILED", 0)


def test_two_slots_at_once_are_enough(plan: UUID) -> None:
    customer, others = somebody(0), [shop.another_app(), another_tier(plan)]
    note_intent(customer, plan, hold=True)
    first = note_intent(customer, others[0], hold=True)
    with pytest.raises(TooManyHolds):
        note_intent(customer, others[1], hold=True)
    assert shop.count(LaunchIntent, LaunchIntent.status == "WAITING") == 2
    cancel(first, customer)
    note_intent(customer, others[1], hold=True)


def test_nothing_is_held_that_is_not_there(plan: UUID) -> None:
    for _ in range(2):
        note_intent(somebody(0), plan, hold=True)
    with pytest.raises(QuotaExceeded):
        note_intent(somebody(0), plan, hold=True)
    assert shop.slots_used(plan) == 2


def test_nothing_is_held_past_those_who_wait(portal: Flask) -> None:
    plan = line.sold_out()
    waits = join(somebody(), plan)
    free(plan)
    with pytest.raises(QuotaExceeded):
        note_intent(somebody(0), plan, hold=True)
    work()
    assert statuses(waits) == ["OFFERED"]


def test_an_offer_is_hold_enough(portal: Flask) -> None:
    plan = line.sold_out()
    customer = somebody(0)
    waits = join(customer, plan)
    free(plan)
    work()
    one = note_intent(customer, plan, hold=True)
    assert (intent(one).hold_ends_at, shop.slots_used(plan)) == (None, 1)
    shop.give(customer, PRICE)
    work()
    assert (intent(one).status, statuses(waits), shop.slots_used(plan)) == ("FULFILLED", ["SERVED"], 1)


def test_a_slot_that_comes_back_goes_to_who_waits(plan: UUID) -> None:
    holder, buyer, waiter = somebody(0), somebody(), somebody()
    note_intent(holder, plan, hold=True)
    shop.buy(buyer, plan)
    waits = join(waiter, plan)
    clock.advance(HALF_AN_HOUR)
    jobs.release_launch_holds()
    work()
    assert statuses(waits) == ["OFFERED"]


def test_buying_another_plan_of_the_app_frees_the_held_one(plan: UUID) -> None:
    customer, pro = somebody(PRICE), another_tier(plan)
    note_intent(customer, plan, hold=True)
    shop.buy(customer, pro)
    assert (shop.slots_used(plan), shop.slots_used(pro)) == (0, 1)
