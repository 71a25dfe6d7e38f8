"""Start, stop and restart of an app that ran before; wishes that change half-way; work that was forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import instances as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.instances import actions
from portal.instances.models import Instance
from portal.notices.models import Notice
from portal.provisioning.turns import turn
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.models import Subscription
from portal.wallet import queries as wallet
from tests.instances.world import CREDIT, PRICE, again, run_instance_work, timeline


def act(verb, instance):
    with transaction() as session:
        verb(session, instance.id, now=clock.now())


def told(code):
    return db.session().scalar(sa.select(sa.func.count()).where(Notice.code == code))


@pytest.fixture
def running(world, ayu):
    return world.buy_running(ayu.customer)


def test_an_app_that_does_not_come_back_is_an_outage_not_a_refund(world, running):
    fault = world.cluster.add_fault("crash-loop", namespace=running.namespace)
    act(actions.restart, running)
    world.play(for_at_most=timedelta(minutes=6))
    instance = again(running)
    assert (instance.state, instance.failure_code, instance.fenced_at) == ("ERROR", "crash_loop", None)
    assert wallet.available(db.session(), instance.customer_id).amount == CREDIT - PRICE
    assert db.session().scalar(sa.select(Subscription.status)) == "ACTIVE"
    assert told("instance_outage") == 1
    world.cluster.clear_faults(fault.id)
    world.play(for_at_most=timedelta(minutes=20))
    assert again(running).state == "RUNNING", "it was still being watched"
    assert again(running).failure_code is None


def test_a_cluster_that_is_down_for_hours_delays_a_stop_and_nothing_else(world, running):
    fault = world.cluster.add_fault("reset")
    act(actions.stop, running)
    world.play(for_at_most=timedelta(hours=2))
    assert again(running).wanted == "STOPPED"
    world.cluster.clear_faults(fault.id)
    world.play(for_at_most=timedelta(hours=2))
    assert again(running).state == "STOPPED"
    assert wallet.available(db.session(), running.customer_id).amount == CREDIT - PRICE


def test_an_outage_can_be_stopped_and_deleted(world, running):
    world.cluster.add_fault("crash-loop", namespace=running.namespace)
    act(actions.restart, running)
    world.play(for_at_most=timedelta(minutes=3))
    act(actions.stop, running)
    world.play(for_at_most=timedelta(minutes=20))
    assert again(running).state == "STOPPED"
    act(subscriptions.delete_instance, running)
    world.play(for_at_most=timedelta(minutes=20))
    assert world.labelled(running) == []
    assert again(running).cleaned_up_at is not None


def test_start_right_after_stop_ends_running(world, running):
    act(actions.stop, running)
    act(actions.start, running)
    world.play()
    assert again(running).state == "RUNNING"
    assert world.deployment(running)["spec"]["replicas"] == 1


def test_a_stop_while_the_start_is_under_way_ends_stopped(world, running):
    act(actions.stop, running)
    world.play()
    act(actions.start, running)
    run_instance_work()
    act(actions.stop, running)
    world.play()
    assert again(running).state == "STOPPED"
    assert world.deployment(running)["spec"]["replicas"] == 0
    assert not [one for one in world.labelled(running) if one.startswith("Pod/")]


def test_data_outlives_stop_start_and_restart(world, running):
    claims = [one for one in world.labelled(running) if one.startswith("PersistentVolumeClaim/")]
    for verb in (actions.stop, actions.start, actions.restart):
        act(verb, running)
        world.play()
    assert [one for one in world.labelled(running) if one.startswith("PersistentVolumeClaim/")] == claims


def test_a_writer_whose_wish_was_fenced_meanwhile_cleans_up_after_itself(world, running, monkeypatch):
    """The lock is lost, the stale writer applies after the clean-up was confirmed: its record queues another one."""
    apply = jobs.cluster.apply

    def apply_late(manifests):
        act(subscriptions.delete_instance, running)
        monkeypatch.setattr(jobs.cluster, "apply", apply)
        jobs.clean_up(str(running.id))
        apply(manifests)

    monkeypatch.setattr(jobs.cluster, "apply", apply_late)
    jobs.provision(str(running.id))
    world.play()
    assert again(running).cleaned_up_at is not None
    assert world.labelled(running) == []


def test_a_writer_whose_wish_changed_meanwhile_writes_again(world, running, monkeypatch):
    apply = jobs.cluster.apply

    def apply_stale(manifests):
        monkeypatch.setattr(jobs.cluster, "apply", apply)
        act(actions.stop, running)
        with transaction() as session:  # the stop's own message is lost
            session.execute(sa.update(OutboxMessage).values(done_at=clock.now()))
        apply(manifests)

    monkeypatch.setattr(jobs.cluster, "apply", apply_stale)
    jobs.provision(str(running.id))
    world.play()
    assert again(running).state == "STOPPED"
    assert world.deployment(running)["spec"]["replicas"] == 0


def test_two_workers_never_write_into_one_namespace_at_once(world, ayu):
    instance = world.buy(ayu.customer)
    with turn(instance.namespace) as mine:
        assert mine
        with turn(instance.namespace) as second:
            assert not second
        run_instance_work()
        assert world.labelled(instance) == [], "it waits for its turn"
    world.play()
    assert again(instance).state == "RUNNING"


def test_a_turn_ends_with_its_holder_whatever_happens(portal):
    with pytest.raises(RuntimeError), turn("user-1"):
        raise RuntimeError
    with turn("user-1") as mine, turn("user-2") as other:
        assert mine
        assert other


def test_work_whose_attempts_were_used_up_is_taken_up_again(world, ayu):
    instance = world.buy(ayu.customer)
    run_instance_work()
    with transaction() as session:
        session.execute(sa.update(OutboxMessage).values(failed_at=clock.now()))
    world.play()
    assert again(instance).state == "PROVISIONING", "nobody looks"
    assert jobs.repair() == "1 resumed"
    assert jobs.repair() == "0 resumed"
    world.play()
    assert again(instance).state == "RUNNING"
    assert jobs.repair() == "0 resumed"


def test_a_forgotten_clean_up_is_taken_up_again(world, running):
    act(subscriptions.delete_instance, running)
    with transaction() as session:
        session.execute(sa.update(OutboxMessage).values(failed_at=clock.now()))
    assert jobs.repair() == "1 resumed"
    world.play()
    assert world.labelled(running) == []


def test_a_quota_holds_every_instance_that_may_still_use_it(world, ayu, running):
    quota = next(one for one in world.cluster.objects(namespace=running.namespace) if one["kind"] == "ResourceQuota")
    assert quota["spec"]["hard"]["requests.storage"] == "5Gi"
    act(actions.stop, running)
    world.play()
    world.cluster.add_fault("error", method="DELETE", status=500)
    act(subscriptions.delete_instance, running)
    world.buy(ayu.customer)
    world.play(for_at_most=timedelta(minutes=2))
    quota = next(one for one in world.cluster.objects(namespace=running.namespace) if one["kind"] == "ResourceQuota")
    assert quota["spec"]["hard"]["requests.storage"] == "10Gi"


def test_a_storage_class_that_changed_since_does_not_stop_a_restart(world, running, monkeypatch):
    from config import settings

    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "expandable")
    settings.cache_clear()
    act(actions.restart, running)
    world.play()
    assert again(running).state == "RUNNING"
    assert timeline(running).count("outage") == 0


def test_deadlines_end_with_their_roll_out(world, running):
    assert again(running).deadline_at is None
    assert db.session().scalar(sa.select(sa.func.count()).where(Instance.deadline_at.is_not(None))) == 0
