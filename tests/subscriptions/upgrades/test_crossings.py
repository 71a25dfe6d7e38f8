"""What else happens while a plan is being changed: the operator's prices move, and the way back finds no end."""

from __future__ import annotations

from datetime import timedelta

from portal.core import clock
from portal.core.db import db
from portal.subscriptions.leaks import leaks
from tests.subscriptions.upgrades.stairs import PRO, change_of, mailed, subscription


def new_price(portal, tier, interval, amount):
    done = portal.test_cli_runner().invoke(args=["catalog", "price", "n8n", tier, interval, str(amount), "--yes"])
    assert done.exit_code == 0, done.output


def test_a_price_that_rises_while_the_change_is_carried_out_is_announced_with_its_end(portal, stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.upgrade(bought, PRO)
    new_price(portal, "pro", "monthly", 90_000)
    assert mailed("price_announced") == 0
    stairs.settle()
    now_on = subscription(bought)
    assert (now_on.plan_id, now_on.price, now_on.next_price) == (stairs.plans[PRO], 75_000, 90_000)
    assert now_on.next_price_from >= clock.now() + timedelta(days=29)
    assert mailed("price_announced") == 1


def test_a_price_that_stays_is_no_news(portal, stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.upgrade(bought, PRO)
    stairs.settle()
    assert (subscription(bought).next_price, mailed("price_announced")) == (None, 0)


def test_a_way_back_without_end_is_named_to_the_operator_for_it_holds_up_renewals(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    change_id = stairs.upgrade(bought, PRO)
    assert named(change_id) == []
    stairs.cluster.add_fault("error", status=503)
    stairs.settle(for_at_most=timedelta(minutes=90))
    assert change_of(change_id).status == "ROLLING_BACK"
    assert [line.endswith(f"subscription {bought} waits for its end") for line in named(change_id)] == [True]


def named(change_id):
    db.session.rollback()
    return [line for line in leaks(db.session(), now=clock.now()) if str(change_id) in line]
