"""What breaks while a plan is changed: the money comes back, the slot too, the app is as it was, one mail is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.instances import actions as instances
from portal.invoices.models import Document
from portal.notices.models import Mail
from portal.wallet import queries as wallet
from tests.conftest import run_due_work
from tests.instances.world import timeline
from tests.subscriptions.upgrades.stairs import (
    BASIC,
    CREDIT,
    PAPERWORK,
    PREMIUM,
    PRO,
    app_of,
    change_of,
    charges,
    mailed,
    subscription,
)

AILMENTS = [
    ("image-not-found", "image_not_found", 90),
    ("image-name-invalid", "image_name_invalid", 40),
    ("crash-loop", "crash_loop", 130),
    ("oom-killed", "out_of_memory", 130),
    ("config-missing", "config_missing", 90),
    ("unschedulable", "no_capacity", 150),
    ("never-ready", "not_ready_in_time", 620),
]


def assert_as_before(stairs, person, bought, change_id, code, *, storage_gib=5):
    """The books, the slots, the cluster and the mails after a change that did not work out."""
    change, now_on, app = change_of(change_id), subscription(bought), app_of(bought)
    assert (change.status, change.failure_code) == ("ROLLED_BACK", code)
    assert (now_on.plan_id, now_on.price, now_on.status) == (stairs.plans[BASIC], 25_000, "ACTIVE")
    assert stairs.slots() == {BASIC: 1, PRO: 0, PREMIUM: 0}
    assert charges(bought)[1:] == [("UPGRADE", change.total, change.total)]
    assert wallet.available(db.session(), person.customer_id).amount == CREDIT - 25_000
    assert (app.state, app.cpu_millicores, app.memory_mib, app.storage_gib) == ("RUNNING", 500, 1024, storage_gib)
    assert stairs.limits(app) == {"cpu": "500m", "memory": "1Gi"}
    assert stairs.claim_gib(app) == f"{storage_gib}Gi"
    assert len(stairs.pods(app)) == 1
    assert stairs.quota(app)["limits.memory"] == f"{1024 + 64}Mi"
    assert stairs.quota(app)["requests.storage"] == f"{storage_gib}Gi"
    assert mailed("plan_change_failed") == 1
    assert mailed("instance_outage") == mailed("plan_changed") == 0
    note = db.session().scalars(sa.select(Document).where(Document.series == "CREDIT_NOTE")).one()
    assert (note.total, note.id) == (change.total, credit_note_mailed())


def credit_note_mailed():
    statement = sa.select(Mail.document_id).where(Mail.code == "plan_change_failed")
    return db.session().scalars(statement).one()


@pytest.mark.parametrize("ailment, code, within_s", AILMENTS)
def test_an_app_that_does_not_come_up_with_more_goes_back(stairs, ayu, ailment, code, within_s):
    bought = stairs.buy(ayu.customer)
    fault = stairs.cluster.add_fault(ailment, namespace="user-*")
    begun = clock.now()
    change_id = stairs.upgrade(bought, PRO)
    until_status(stairs, change_id, "ROLLING_BACK")
    assert clock.now() - begun < timedelta(seconds=within_s)
    assert wallet.available(db.session(), ayu.customer_id).amount == CREDIT - 25_000
    stairs.cluster.clear_faults(fault.id)
    stairs.settle()
    assert_as_before(stairs, ayu, bought, change_id, code)


def until_status(stairs, change_id, status):
    """Plays until the change has that status; its later work is left lying."""
    for _ in range(400):
        if change_of(change_id).status == status:
            return
        one_message(stairs)
    raise AssertionError(f"it never became {status}")


def one_message(stairs):
    from jobs import runner
    from tests.instances.world import WORKER_MOMENT

    db.session.rollback()
    open_ones = (
        OutboxMessage.done_at.is_(None),
        OutboxMessage.failed_at.is_(None),
        OutboxMessage.name.not_in(PAPERWORK),
    )
    statement = sa.select(OutboxMessage.id, OutboxMessage.run_at).where(*open_ones)
    due = db.session().execute(statement.order_by(OutboxMessage.run_at, OutboxMessage.id).limit(1)).one()
    db.session.rollback()
    if due.run_at > clock.now():
        stairs.pass_time(due.run_at - clock.now() + WORKER_MOMENT)
    runner.perform(str(due.id))


def test_a_size_that_no_server_has_goes_back_by_itself(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    enlarge(stairs, PRO, cpu_millicores=64_000, memory_mib=1_000_000)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert_as_before(stairs, ayu, bought, change_id, "no_capacity")


def enlarge(stairs, tier, **size):
    from portal.catalog.models import Plan

    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == stairs.plans[tier]).values(**size))


def test_a_volume_that_cannot_grow_undoes_it_all(stairs, ayu, monkeypatch):
    from config import settings

    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "standard")
    settings.cache_clear()
    bought = stairs.buy(ayu.customer)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert_as_before(stairs, ayu, bought, change_id, "volume_cannot_grow")


def test_a_volume_keeps_its_class_when_the_operator_has_another_one_now(stairs, ayu, monkeypatch):
    from config import settings

    bought = stairs.buy(ayu.customer)
    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "standard")
    settings.cache_clear()
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert stairs.claim_gib(app_of(bought)) == "20Gi"


def test_a_volume_that_grew_before_the_way_back_stays_and_is_recorded(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("claim-stuck", name="*-data")
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle(for_at_most=timedelta(hours=1))
    assert_as_before(stairs, ayu, bought, change_id, "volume_cannot_grow", storage_gib=20)
    assert timeline(app_of(bought)).count("volume_stays_larger") == 1


def test_after_a_way_back_the_next_try_works(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stuck = stairs.cluster.add_fault("claim-stuck", name="*-data")
    stairs.upgrade(bought, PRO)
    stairs.settle(for_at_most=timedelta(hours=1))
    stairs.cluster.clear_faults(stuck.id)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert stairs.slots() == {BASIC: 0, PRO: 1, PREMIUM: 0}
    assert stairs.claim_gib(app_of(bought)) == "20Gi"


def test_a_cluster_that_is_silent_past_the_time_refunds_and_frees_the_slot_when_it_answers(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    silent = stairs.cluster.add_fault("error", status=503)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle(for_at_most=timedelta(minutes=40))
    assert change_of(change_id).status == "ROLLING_BACK"
    assert wallet.available(db.session(), ayu.customer_id).amount == CREDIT - 25_000
    assert stairs.slots() == {BASIC: 1, PRO: 1, PREMIUM: 0}
    stairs.cluster.clear_faults(silent.id)
    stairs.settle(for_at_most=timedelta(hours=2))
    change = change_of(change_id)
    assert (change.status, change.failure_code) == ("ROLLED_BACK", "cluster_unavailable")
    assert stairs.slots() == {BASIC: 1, PRO: 0, PREMIUM: 0}
    assert app_of(bought).state == "RUNNING"
    assert mailed("plan_change_failed") == 1


CALLS = [
    ("PATCH", "/resourcequotas/"), ("PATCH", "/deployments/"), ("GET", "/pods"), ("GET", "/deployments/"),
    ("GET", "/persistentvolumeclaims/"), ("PATCH", "/persistentvolumeclaims/"),
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method, path", CALLS)
def test_one_lost_answer_at_any_call_delays_but_does_not_harm(stairs, ayu, method, path, after):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("reset", method=method, path=path, after=after, remaining=1)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert stairs.claim_gib(app_of(bought)) == "20Gi"
    assert mailed("plan_changed") == 1


@pytest.mark.parametrize("method, path", CALLS)
def test_an_answer_lost_on_the_way_back_is_asked_for_again(stairs, ayu, method, path):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("claim-stuck", name="*-data")
    change_id = stairs.upgrade(bought, PRO)
    until_status(stairs, change_id, "ROLLING_BACK")
    stairs.cluster.add_fault("reset", method=method, path=path, after=True, remaining=1)
    stairs.settle()
    assert_as_before(stairs, ayu, bought, change_id, "volume_cannot_grow", storage_gib=20)


def test_a_definite_refusal_of_the_larger_app_goes_back_at_once(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    refusal = stairs.cluster.add_fault("error", method="PATCH", path="/deployments/", status=422, remaining=1)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    stairs.cluster.clear_faults(refusal.id)
    assert_as_before(stairs, ayu, bought, change_id, "refused")


def test_an_app_that_does_not_come_back_is_an_outage_of_its_own(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("image-not-found", namespace="user-*")
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert change_of(change_id).status == "ROLLED_BACK"
    assert stairs.slots() == {BASIC: 1, PRO: 0, PREMIUM: 0}
    assert app_of(bought).state == "ERROR"
    assert (mailed("plan_change_failed"), mailed("instance_outage")) == (1, 1)


def test_an_app_stopped_while_it_is_resized_is_not_waited_for(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    stairs.cluster.add_fault("never-ready", namespace="user-*")
    change_id = stairs.upgrade(bought, PRO)
    run_due_work(without=PAPERWORK)
    with transaction() as session:
        instances.stop(session, app_of(bought).id, now=clock.now())
    stairs.settle()
    assert change_of(change_id).status == "DONE"
    assert app_of(bought).state == "STOPPED"


def test_a_broken_app_may_be_given_more_memory(stairs, ayu):
    bought = stairs.buy(ayu.customer)
    short = stairs.cluster.add_fault("oom-killed", namespace="user-*")
    with transaction() as session:
        instances.restart(session, app_of(bought).id, now=clock.now())
    stairs.settle()
    assert app_of(bought).state == "ERROR"
    stairs.cluster.clear_faults(short.id)
    change_id = stairs.upgrade(bought, PRO)
    stairs.settle()
    assert (change_of(change_id).status, app_of(bought).state) == ("DONE", "RUNNING")


def test_work_whose_attempts_are_used_up_is_taken_up_again(stairs, ayu):
    from jobs import plan_changes

    bought = stairs.buy(ayu.customer)
    change_id = stairs.upgrade(bought, PRO)
    with transaction() as session:
        lost = sa.update(OutboxMessage).where(OutboxMessage.name == "plan_changes.carry_out")
        session.execute(lost.values(failed_at=clock.now()))
    stairs.settle()
    assert change_of(change_id).status == "RESIZING"
    assert plan_changes.repair() == "1 resumed"
    assert plan_changes.repair() == "0 resumed"
    stairs.settle()
    assert change_of(change_id).status == "DONE"
