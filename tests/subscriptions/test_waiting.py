"""Waiting for a slot, verb by verb: joining, being served in order, offers that run out, credit set aside, leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import waitlist as jobs
from portal.catalog.errors import PlanNotSold, QuotaExceeded
from portal.core import clock, switches
from portal.core.db import db, transaction
from portal.core.switches import Switch
from portal.subscriptions import queues, rules
from portal.subscriptions.actions import suspending, waiting
from portal.subscriptions.errors import (
    DuplicateSubscription,
    PriceChanged,
    SlotIsFree,
    WaitlistEntryNotFound,
)
from portal.subscriptions.models import Subscription, WaitlistEntry
from portal.wallet.errors import InsufficientCredit
from portal.wallet.models import AccountKind
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.subscriptions import line
from tests.subscriptions.line import entry, free, join, somebody, statuses, told

OTHER_WORK = (
    "invoices.render", "invoices.issue", "notices.deliver", "instances.provision", "instances.clean_up",
    "instances.apply",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clean_books(portal: Flask) -> Iterator[None]:
    yield
    assert_books_are_clean()


@pytest.fixture
def plan(portal: Flask) -> UUID:
    """A plan with one slot, which is taken."""
    return line.sold_out()


def work() -> None:
    run_due_work(without=OTHER_WORK)


def held(customer: UUID) -> int:
    return shop.balance(customer, AccountKind.HELD)


# --- joining --------------------------------------------------------------------------------------------


def test_who_joins_stands_at_the_end_and_nothing_is_charged(plan: UUID) -> None:
    first, second = somebody(), somebody(0)
    entries = [join(first, plan), join(second, plan)]
    assert statuses(*entries) == ["WAITING", "WAITING"]
    ahead = [db.session().scalar(sa.select(queues.ahead_of(one, plan))) for one in (first, second, somebody(0))]
    assert ahead == [0, 1, 2]
    assert (shop.balance(first), held(first)) == (PRICE, 0)


def test_joining_again_keeps_the_place(plan: UUID) -> None:
    customer = somebody()
    assert join(customer, plan) == join(customer, plan)
    join(somebody(), plan)
    clock.advance(timedelta(hours=1))
    join(customer, plan, automatic=True)
    assert db.session().scalar(sa.select(queues.ahead_of(customer, plan))) == 0


def test_a_slot_that_is_free_is_not_waited_for(plan: UUID) -> None:
    free(plan)
    with pytest.raises(SlotIsFree):
        join(somebody(), plan)


def test_a_slot_that_others_wait_for_is_waited_for(plan: UUID) -> None:
    join(somebody(), plan)
    free(plan)
    assert entry(join(somebody(), plan)).status == "WAITING"


@pytest.mark.parametrize("total", [PRICE - 1, PRICE + 1, 0])
def test_another_price_than_was_shown_is_refused(plan: UUID, total: int) -> None:
    with pytest.raises(PriceChanged):
        join(somebody(), plan, total=total, automatic=True)


def test_who_has_the_app_does_not_wait_for_it(plan: UUID) -> None:
    owner = db.session().scalars(sa.select(Subscription.customer_id)).one()
    with pytest.raises(DuplicateSubscription):
        join(owner, plan)


def test_what_is_not_sold_is_not_waited_for(plan: UUID) -> None:
    with pytest.raises(PlanNotSold):
        join(somebody(), plan, interval="YEARLY")
    line.withdraw(plan)
    with pytest.raises(PlanNotSold):
        join(somebody(), plan)


# --- credit set aside -----------------------------------------------------------------------------------


def test_subscribing_automatically_sets_the_price_aside(plan: UUID) -> None:
    customer = somebody(PRICE + 5_000)
    one = join(customer, plan, automatic=True)
    assert (shop.balance(customer), held(customer), entry(one).held) == (5_000, PRICE, PRICE)


def test_too_little_credit_joins_nothing(plan: UUID) -> None:
    customer = somebody(PRICE - 1)
    with pytest.raises(InsufficientCredit) as refused:
        join(customer, plan, automatic=True)
    assert refused.value.shortfall.amount == 1
    assert shop.count(WaitlistEntry) == 0


def test_a_repeat_moves_no_money_and_another_choice_gives_it_back(plan: UUID) -> None:
    customer = somebody()
    for _ in range(3):
        join(customer, plan, automatic=True)
    assert shop.entries("HOLD") == 1
    join(customer, plan, automatic=False)
    assert (shop.balance(customer), held(customer)) == (PRICE, 0)
    join(customer, plan, automatic=True)
    assert (shop.balance(customer), held(customer)) == (0, PRICE)


def test_leaving_gives_back_what_was_set_aside_once(plan: UUID) -> None:
    customer = somebody()
    one = join(customer, plan, automatic=True)
    for _ in range(2):
        line.leave(one, customer)
    assert (shop.balance(customer), held(customer), entry(one).status) == (PRICE, 0, "LEFT")
    assert shop.entries("RELEASE") == 1


def test_a_chargeback_reaches_what_is_set_aside(plan: UUID) -> None:
    customer = shop.open_customer()
    order = Order(customer, PRICE)
    order.hear("settlement")
    one = join(customer, plan, automatic=True)
    order.hear("chargeback", taken_back=PRICE)
    work()
    assert (shop.balance(customer), held(customer), shop.debt(customer)) == (0, 0, 0)
    found = entry(one)
    assert (found.status, found.automatic, found.held) == ("WAITING", False, 0)
    assert "waitlist_hold_used" in told(customer)


def test_a_debt_takes_no_more_than_it_needs_the_newest_hold_first(plan: UUID) -> None:
    customer = shop.open_customer()
    order = Order(customer, 10_000)
    order.hear("settlement")
    shop.give(customer, 2 * PRICE - 10_000)
    other = shop.another_app()
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 0 WHERE id = :p"), {"p": other})
    older = join(customer, plan, automatic=True)
    clock.advance(timedelta(minutes=1))
    newer = join(customer, other, automatic=True)
    order.hear("chargeback", taken_back=10_000)
    work()
    assert (entry(older).held, entry(newer).held) == (PRICE, 0)
    assert (shop.balance(customer), held(customer), shop.debt(customer)) == (PRICE - 10_000, PRICE, 0)


def test_a_debt_paid_meanwhile_leaves_the_hold_alone(plan: UUID) -> None:
    customer = shop.open_customer()
    order = Order(customer, PRICE)
    order.hear("settlement")
    one = join(customer, plan, automatic=True)
    order.hear("chargeback", taken_back=PRICE)
    shop.give(customer, PRICE)
    work()
    assert (entry(one).held, held(customer), shop.debt(customer)) == (PRICE, PRICE, 0)


# --- being served ---------------------------------------------------------------------------------------


def test_a_freed_slot_is_offered_to_the_first_and_held_for_a_day(plan: UUID) -> None:
    first, second = somebody(), somebody()
    entries = [join(first, plan), join(second, plan)]
    free(plan)
    work()
    assert statuses(*entries) == ["OFFERED", "WAITING"]
    assert entry(entries[0]).offer_ends_at == clock.now() + timedelta(hours=24)
    assert shop.slots_used(plan) == 1
    assert "waitlist_offer" in told(first)
    assert "waitlist_offer" not in told(second)


def test_who_waits_to_resume_comes_before_who_came_earlier(plan: UUID) -> None:
    newcomer = somebody()
    waits = join(newcomer, plan)
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 2 WHERE id = :p"), {"p": plan})
    line.leave(waits, newcomer)
    sleeper = suspended(plan)
    newcomers = [join(somebody(), plan)]
    clock.advance(timedelta(hours=1))
    with transaction() as session:
        resumes = waiting.join_to_resume(session, session.get_one(Subscription, sleeper), now=clock.now()).id
    db.session.rollback()
    first = queues.first_in_line(db.session(), plan)
    assert first is not None
    assert first.id == resumes
    in_line = [entry(one) for one in (*newcomers, resumes)]
    by_rule = sorted(
        in_line,
        key=lambda one: rules.line_order(resumes=one.resumes_id is not None, joined_at=one.joined_at, entry_id=one.id),
    )
    assert by_rule[0].id == resumes
    assert db.session().scalar(sa.select(queues.ahead_of(entry(newcomers[0]).customer_id, plan))) == 1
    assert db.session().scalar(sa.select(queues.ahead_of(entry(resumes).customer_id, plan))) == 0


def suspended(plan: UUID) -> UUID:
    """A subscription that lost its slot to its own debt, and somebody who took that slot; returns its id."""
    from portal.subscriptions.rules.life import SUSPENDED, Step, Turn, life_of

    owner = somebody()
    subscription_id = shop.buy(owner, plan)
    with transaction() as session:
        one = session.get_one(Subscription, subscription_id, with_for_update=True)
        life = life_of(one)
        from dataclasses import replace

        after = replace(
            life, status=SUSPENDED, suspend_reason="UNPAID", suspended_at=clock.now(), holds_slot=False,
            remind_at=None, due_at=clock.now() + timedelta(days=27), data_kept_until=clock.now() + timedelta(days=30),
        )  # fmt: skip
        suspending.suspend(session, one, Turn(Step.SUSPENDED, after), now=clock.now())
    work()
    taker = somebody()
    shop.buy(taker, plan)
    return subscription_id


def test_a_suspended_app_resumes_by_itself_with_credit_and_a_slot(plan: UUID) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 2 WHERE id = :p"), {"p": plan})
    sleeper = suspended(plan)
    owner = db.session().get_one(Subscription, sleeper).customer_id
    db.session.rollback()
    others = join(somebody(), plan)
    shop.give(owner, PRICE)
    work()
    assert "waitlist_to_resume" in told(owner)
    free(plan)
    work()
    db.session.rollback()
    one = db.session().get_one(Subscription, sleeper, populate_existing=True)
    assert (one.status, one.holds_slot) == ("ACTIVE", True)
    assert statuses(others) == ["WAITING"]
    served = db.session().scalars(sa.select(WaitlistEntry).where(WaitlistEntry.resumes_id == sleeper)).one()
    assert (served.status, served.subscription_id) == ("SERVED", sleeper)
    assert shop.balance(owner) == 0


def test_a_suspended_app_without_credit_is_offered_its_slot(plan: UUID) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 2 WHERE id = :p"), {"p": plan})
    sleeper = suspended(plan)
    with transaction() as session:
        one = session.get_one(Subscription, sleeper)
        resumes, owner = waiting.join_to_resume(session, one, now=clock.now()).id, one.customer_id
    free(plan)
    work()
    assert statuses(resumes) == ["OFFERED"]
    assert told(owner)[-1] == "waitlist_offer_to_resume"
    shop.give(owner, PRICE)
    work()
    db.session.rollback()
    assert db.session().get_one(Subscription, sleeper, populate_existing=True).status == "ACTIVE"
    assert statuses(resumes) == ["SERVED"]


def test_the_offered_slot_is_used_by_buying_and_by_nobody_else(plan: UUID) -> None:
    first, passer_by = somebody(), somebody()
    one = join(first, plan)
    free(plan)
    work()
    with pytest.raises(QuotaExceeded):
        shop.buy(passer_by, plan)
    subscription = shop.buy(first, plan)
    assert (entry(one).status, entry(one).subscription_id) == ("SERVED", subscription)
    assert shop.slots_used(plan) == 1


def test_between_the_freed_slot_and_its_offer_nobody_passes(plan: UUID) -> None:
    """The event has not been worked yet: the slot is free, and still not for sale."""
    waits = join(somebody(), plan)
    free(plan)
    assert shop.slots_used(plan) == 0
    passer_by = somebody()
    with pytest.raises(QuotaExceeded):
        shop.buy(passer_by, plan)
    assert (shop.slots_used(plan), shop.balance(passer_by)) == (0, PRICE)
    work()
    assert statuses(waits) == ["OFFERED"]


def test_the_first_in_line_need_not_wait_for_the_job(plan: UUID) -> None:
    first = somebody()
    one = join(first, plan)
    join(somebody(), plan)
    free(plan)
    shop.buy(first, plan)
    assert entry(one).status == "SERVED"


def test_automatic_subscribes_at_once_with_what_was_set_aside(plan: UUID) -> None:
    customer = somebody()
    one = join(customer, plan, automatic=True)
    free(plan)
    work()
    found = entry(one)
    assert (found.status, found.held) == ("SERVED", 0)
    assert (shop.live(customer), shop.balance(customer), held(customer)) == (1, 0, 0)
    assert "waitlist_served" in told(customer)


def raise_price(plan: UUID, _: UUID) -> None:
    line.change_price(plan, PRICE + 1)


def lower_price(plan: UUID, _: UUID) -> None:
    line.change_price(plan, PRICE - 1)


def take_off_sale(plan: UUID, _: UUID) -> None:
    line.withdraw(plan)


@pytest.mark.parametrize(
    "meanwhile, reason",
    [(raise_price, "PRICE_CHANGED"), (lower_price, "PRICE_CHANGED"), (take_off_sale, "PLAN_NOT_SOLD")],
)
def test_what_can_no_longer_be_served_is_told_and_the_credit_is_back(
    plan: UUID, meanwhile: Callable[[UUID, UUID], None], reason: str
) -> None:
    customer, behind = somebody(), somebody()
    one, next_one = join(customer, plan, automatic=True), join(behind, plan)
    meanwhile(plan, customer)
    free(plan)
    work()
    assert (entry(one).status, entry(one).failure_code) == ("LEFT", reason)
    assert (shop.balance(customer), held(customer), shop.live(customer)) == (PRICE, 0, 0)
    assert told(customer)[-1] == "waitlist_left"
    assert entry(next_one).status == ("LEFT" if reason == "PLAN_NOT_SOLD" else "OFFERED")


def test_a_withdrawn_plan_without_any_event_is_found_by_the_sweep(plan: UUID) -> None:
    one = join(somebody(), plan)
    work()
    line.withdraw(plan)
    assert jobs.offer_free_slots() == {"plans": 1, "served": 1}
    assert statuses(one) == ["LEFT"]


def test_who_is_new_is_told_of_a_withdrawal_though_somebody_waits_to_resume(plan: UUID) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 2 WHERE id = :p"), {"p": plan})
    sleeper = suspended(plan)
    with transaction() as session:
        resumes = waiting.join_to_resume(session, session.get_one(Subscription, sleeper), now=clock.now()).id
    new = join(somebody(), plan)
    line.withdraw(plan)
    jobs.offer_free_slots()
    assert statuses(resumes, new) == ["WAITING", "LEFT"]
    free(plan)
    work()
    assert statuses(resumes) == ["OFFERED"]


def test_a_debt_in_the_very_last_moment_makes_it_an_ordinary_offer(plan: UUID) -> None:
    customer = shop.open_customer()
    order = Order(customer, PRICE)
    order.hear("settlement")
    one = join(customer, plan, automatic=True)
    work()
    order.hear("chargeback", taken_back=PRICE)
    free(plan)
    line.offer(plan)
    assert (entry(one).status, entry(one).automatic, entry(one).held) == ("OFFERED", False, 0)
    assert (held(customer), shop.debt(customer)) == (0, 0)


def test_buying_another_plan_of_the_app_ends_the_wait(portal: Flask) -> None:
    plan = line.sold_out()
    pro = another_tier(plan)
    customer = somebody(3 * PRICE)
    one = join(customer, plan, automatic=True)
    shop.buy(customer, pro)
    assert (entry(one).status, held(customer), shop.balance(customer)) == ("LEFT", 0, 2 * PRICE)


def test_an_offer_for_the_other_plan_goes_to_the_next(portal: Flask) -> None:
    plan = line.sold_out()
    pro = another_tier(plan)
    customer, behind = somebody(), somebody()
    entries = [join(customer, plan), join(behind, plan)]
    free(plan)
    work()
    shop.buy(customer, pro)
    work()
    assert statuses(*entries) == ["LEFT", "OFFERED"]


def another_tier(plan_id: UUID) -> UUID:
    from portal.catalog.models import Plan, PlanPrice

    with transaction() as session:
        basic = session.get_one(Plan, plan_id)
        pro = Plan(
            service_id=basic.service_id, plan_type="PRO", name="Pro", cpu_millicores=500, memory_mib=1024,
            storage_gib=5, slots_total=5,
        )  # fmt: skip
        session.add(pro)
        session.flush()
        session.add(PlanPrice(plan_id=pro.id, amount=PRICE))
        return pro.id


# --- offers run out -------------------------------------------------------------------------------------


def test_an_offer_not_taken_goes_to_the_next_in_line(plan: UUID) -> None:
    first, second = somebody(), somebody()
    entries = [join(first, plan), join(second, plan)]
    free(plan)
    work()
    clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    assert jobs.expire_offers() == {"missed": 0}
    clock.advance(timedelta(seconds=1))
    assert jobs.expire_offers() == {"missed": 1}
    work()
    assert statuses(*entries) == ["MISSED", "OFFERED"]
    assert told(first)[-1] == "waitlist_missed"
    assert entry(entries[1]).offer_ends_at == clock.now() + timedelta(hours=24)


def test_the_last_offer_not_taken_frees_the_slot_for_everybody(plan: UUID) -> None:
    join(somebody(), plan)
    free(plan)
    work()
    clock.advance(timedelta(hours=24))
    jobs.expire_offers()
    work()
    assert shop.slots_used(plan) == 0
    shop.buy(somebody(), plan)


def test_declining_hands_it_on(plan: UUID) -> None:
    first = somebody()
    entries = [join(first, plan), join(somebody(), plan)]
    free(plan)
    work()
    line.leave(entries[0], first)
    work()
    assert statuses(*entries) == ["LEFT", "OFFERED"]


def test_expiring_twice_changes_nothing_more(plan: UUID) -> None:
    one = join(somebody(), plan)
    free(plan)
    work()
    clock.advance(timedelta(days=2))
    assert [jobs.expire_offers()["missed"] for _ in range(3)] == [1, 0, 0]
    with transaction() as session:
        assert not waiting.expire_offer(session, one, now=clock.now())


# --- the operator ---------------------------------------------------------------------------------------


def test_while_launches_are_held_back_the_queue_stands_still(plan: UUID) -> None:
    entries = [join(somebody(), plan, automatic=True), join(somebody(), plan)]
    hold_back("maintenance")
    free(plan)
    work()
    assert jobs.offer_free_slots() == {"plans": 1, "served": 0}
    assert statuses(*entries) == ["WAITING", "WAITING"]
    hold_back("")
    jobs.offer_free_slots()
    assert statuses(*entries) == ["SERVED", "WAITING"]


def hold_back(text: str) -> None:
    with transaction() as session:
        switches.set_value(session, Switch.NO_PROVISIONING, text, now=clock.now())


def test_more_slots_are_offered_to_who_waits(portal: Flask, plan: UUID) -> None:
    entries = [join(somebody(), plan) for _ in range(3)]
    run = portal.test_cli_runner().invoke
    done = run(args=["catalog", "slots", "n8n", "basic", "3"])
    assert (done.exit_code, done.output) == (0, "n8n BASIC: 3 slots, 1 in use\n")
    work()
    assert statuses(*entries) == ["OFFERED", "OFFERED", "WAITING"]
    refused = run(args=["catalog", "slots", "n8n", "BASIC", "2"])
    assert (refused.exit_code, refused.output) == (1, "Error: 3 slots of n8n BASIC are in use\n")
    assert run(args=["catalog", "slots", "nothing", "BASIC", "2"]).exit_code != 0


def test_a_lost_event_is_made_up_for(plan: UUID) -> None:
    one = join(somebody(), plan)
    free(plan)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM outbox_message"))
    assert jobs.offer_free_slots() == {"plans": 1, "served": 1}
    assert statuses(one) == ["OFFERED"]
    assert jobs.offer_free_slots() == {"plans": 0, "served": 0}


def test_a_slot_freed_while_somebody_joins_is_not_lost(plan: UUID) -> None:
    """It came free after they looked and before they stood in line: its event found nobody."""
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = slots_total + 1"))
        session.add(WaitlistEntry(customer_id=somebody_in(session), plan_id=plan, joined_at=clock.now()))
        session.flush()
    other = join(somebody(), plan)
    work()
    assert sorted(statuses(other) + [one.status for one in db.session().scalars(sa.select(WaitlistEntry))]) == [
        "OFFERED", "WAITING", "WAITING",
    ]  # fmt: skip


def somebody_in(session: object) -> UUID:
    from portal.accounts.models import Customer
    from portal.core.ids import new_id

    customer = Customer(id=new_id(), name="Early", billing_email="early@example.com", created_at=clock.now())
    session.add(customer)  # type: ignore[attr-defined]
    session.flush()  # type: ignore[attr-defined]
    return customer.id


# --- leaving --------------------------------------------------------------------------------------------


def test_a_stranger_takes_nobody_out_of_line(plan: UUID) -> None:
    one = join(somebody(), plan)
    with pytest.raises(WaitlistEntryNotFound):
        line.leave(one, somebody())
    assert statuses(one) == ["WAITING"]


def test_who_closes_the_account_leaves_every_queue_and_launch(plan: UUID) -> None:
    customer, behind = somebody(2 * PRICE), somebody()
    other = shop.another_app()
    offered = join(customer, plan)
    free(plan)
    work()
    next_one = join(behind, plan)
    intent = line.note_intent(customer, other, hold=True)
    assert shop.slots_used(other) == 1
    with transaction() as session:
        waiting.stop_waiting(session, customer, now=clock.now())
    work()
    assert statuses(offered, next_one) == ["LEFT", "OFFERED"]
    assert (line.intent(intent).status, shop.slots_used(other)) == ("CANCELLED", 0)
    with transaction() as session:
        waiting.stop_waiting(session, customer, now=clock.now())


def test_what_is_set_aside_counts_when_an_account_is_closed(plan: UUID) -> None:
    customer = somebody()
    join(customer, plan, automatic=True)
    with transaction() as session:
        waiting.stop_waiting(session, customer, now=clock.now())
    assert (shop.balance(customer), held(customer)) == (PRICE, 0)
