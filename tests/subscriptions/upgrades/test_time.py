"""Time meets a change under way: it waits for the end, which says what the next period costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances.models import Instance
from portal.subscriptions import actions
from portal.subscriptions.actions import renewing
from portal.wallet import queries as wallet
from tests.instances.world import again
from tests.subscriptions.upgrades.stairs import (
    BASIC,
    MONTHLY_PRICES,
    PREMIUM,
    PRO,
    apps_of,
    change_of,
    charges,
    mailed,
    subscription,
)


def run_due():
    with transaction() as session:
        return renewing.run_due(session, now=clock.now(), limit=10)


def to_the_last_minute(bought):
    clock.advance(subscription(bought).period_ends_at - clock.now() - timedelta(minutes=1))


@pytest.mark.parametrize("ailment, price", [(None, MONTHLY_PRICES[PRO]), ("unschedulable", MONTHLY_PRICES[BASIC])])
def test_a_renewal_waits_for_the_change_and_costs_what_its_end_says(stairs, ayu, ailment, price):
    bought = stairs.buy(ayu.customer)
    to_the_last_minute(bought)
    if ailment:
        stairs.cluster.add_fault(ailment, namespace="user-*", remaining=1)
    ended = subscription(bought).period_ends_at
    change_id = stairs.upgrade(bought, PRO)
    clock.advance(timedelta(minutes=1, seconds=1))
    assert run_due() == []
    stairs.settle()
    assert change_of(change_id).ended_at is not None
    assert [str(step) for step in run_due()] == ["RENEWED"]
    now_on = subscription(bought)
    assert (now_on.period_started_at, now_on.price, now_on.status) == (ended, price, "ACTIVE")
    assert charges(bought)[-1] == ("RENEWAL", price, 0)


def test_after_a_change_without_credit_for_the_new_price_grace_begins_on_the_new_plan(stairs, ayu):
    bought = stairs.buy(ayu.customer, credit=30_000)
    to_the_last_minute(bought)
    stairs.upgrade(bought, PRO)
    stairs.settle(for_at_most=timedelta(minutes=5))
    clock.advance(timedelta(minutes=1))
    assert [str(step) for step in run_due()] == ["FELL_DUE"]
    assert subscription(bought).status == "PAST_DUE"


def test_by_the_year_nothing_is_due_for_a_year(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    to_the_last_minute(bought)
    stairs.upgrade(bought, BASIC, "YEARLY")
    clock.advance(timedelta(days=300))
    assert run_due() == []


def test_cancelled_right_after_an_upgrade_the_unused_part_of_both_charges_comes_back(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    clock.advance(timedelta(days=10))
    stairs.upgrade(bought, PRO)
    stairs.settle()
    before = wallet.available(db.session(), ayu.customer_id).amount
    one = subscription(bought)
    with transaction() as session:
        actions.cancel_now(session, bought, ayu.customer_id, now=clock.now())
    left = (one.period_ends_at - clock.now()) / (one.period_ends_at - one.period_started_at)
    back = wallet.available(db.session(), ayu.customer_id).amount - before
    assert back == pytest.approx(MONTHLY_PRICES[PRO] * left, abs=1)


# --- several apps ---------------------------------------------------------------------------------------


@pytest.fixture
def two_apps(stairs, ayu):
    with transaction() as session:
        session.execute(sa.update(Plan).values(max_instances=2))
    bought = stairs.buy(ayu.customer)
    with transaction() as session:
        actions.add_instance(session, bought, ayu.customer_id, running=1, now=clock.now())
    stairs.settle()
    return bought


def sizes(bought):
    return [(app.cpu_millicores, app.memory_mib, app.storage_gib, app.state) for app in apps_of(bought)]


def test_all_apps_of_a_subscription_are_resized(stairs, two_apps):
    change_id = stairs.upgrade(two_apps, PRO)
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert sizes(two_apps) == [(1000, 2048, 20, "RUNNING")] * 2
    for app in apps_of(two_apps):
        assert stairs.claim_gib(app) == "20Gi"
        assert stairs.quota(app)["limits.memory"] == f"{2 * (2048 + 64)}Mi"


def test_when_one_of_them_does_not_come_up_all_go_back(stairs, two_apps):
    broken = apps_of(two_apps)[1]
    fault = stairs.cluster.add_fault("image-not-found", labels=f"minispod.io/instance={broken.id}")
    change_id = stairs.upgrade(two_apps, PRO)
    stairs.settle(for_at_most=timedelta(minutes=2))
    stairs.cluster.clear_faults(fault.id)
    stairs.settle()
    assert change_of(change_id).status == "ROLLED_BACK"
    assert sizes(two_apps) == [(500, 1024, 5, "RUNNING")] * 2
    assert stairs.slots() == {BASIC: 1, PRO: 0, PREMIUM: 0}
    assert mailed("plan_change_failed") == 1


def test_while_it_rolls_out_the_namespace_has_room_for_both_sizes(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("never-ready", namespace="user-*")
    stairs.upgrade(bought, PRO)
    stairs.settle(for_at_most=timedelta(minutes=1))
    (app,) = apps_of(bought)
    assert stairs.quota(app)["limits.memory"] == f"{1024 + 2048 + 64}Mi"
    stairs.cluster.clear_faults()
    stairs.settle()
    assert stairs.quota(app)["limits.memory"] == f"{2048 + 64}Mi"


def test_one_app_deleted_while_the_other_grows_leaves_the_change_to_the_other(stairs, two_apps):
    change_id = stairs.upgrade(two_apps, PRO)
    first, second = apps_of(two_apps)
    with transaction() as session:
        actions.delete_instance(session, second.id, now=clock.now())
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert again(first).memory_mib == 2048
    assert db.session().get_one(Instance, second.id).cleaned_up_at is not None
