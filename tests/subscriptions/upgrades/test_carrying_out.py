"""A confirmed change of plan, to its end in the cluster."""

from __future__ import annotations

from datetime import timedelta

from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions as instances
from portal.wallet import queries as wallet
from tests.instances.world import timeline
from tests.subscriptions.upgrades.stairs import (
    BASIC,
    CREDIT,
    MONTHLY_PRICES,
    PRO,
    app_of,
    change_of,
    charges,
    mailed,
    subscription,
)


def test_basic_becomes_pro(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    clock.advance(timedelta(days=10))
    change_id = stairs.upgrade(bought, PRO)
    assert stairs.slots() == {BASIC: 1, PRO: 1, "PREMIUM": 0}
    stairs.settle()
    change, now_on = change_of(change_id), subscription(bought)
    assert change.status == "DONE"
    assert (now_on.plan_id, now_on.price, now_on.status) == (stairs.plans[PRO], MONTHLY_PRICES[PRO], "ACTIVE")
    assert stairs.slots() == {BASIC: 0, PRO: 1, "PREMIUM": 0}
    app = app_of(bought)
    assert (app.state, app.cpu_millicores, app.memory_mib, app.storage_gib) == ("RUNNING", 1000, 2048, 20)
    assert stairs.limits(app) == {"cpu": "1", "memory": "2Gi"}
    assert stairs.claim_gib(app) == "20Gi"
    assert len(stairs.pods(app)) == 1
    assert charges(bought) == [("FIRST", 25_000, 0), ("UPGRADE", change.total, 0)]
    assert wallet.available(db.session(), ayu.customer_id).amount == CREDIT - 25_000 - change.total
    assert mailed("plan_changed") == 1
    assert mailed("instance_outage") == 0
    assert timeline(app).count("ready") == 2
    assert timeline(app).count("volume_grown") == 1


def test_a_stopped_app_is_resized_without_running(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    with transaction() as session:
        instances.stop(session, app_of(bought).id, now=clock.now())
    stairs.settle()
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    app = app_of(bought)
    assert change_of(change_id).status == "DONE"
    assert (app.state, app.memory_mib) == ("STOPPED", 2048)
    assert stairs.pods(app) == []
    assert stairs.claim_gib(app) == "20Gi"
