"""Suspended to zero and back: the app returns as it was, field by field, and nobody is told what did not happen."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.instances import actions
from portal.instances.models import Instance, InstanceEvent
from portal.notices.models import Notice
from portal.subscriptions import actions as subscriptions
from tests.instances.world import again

COUNTED = {"resourceVersion", "generation", "managedFields"}
"""What the cluster counts up by itself with every write."""
BORN_ANEW = {"Pod"}


def act(verb, instance):
    with transaction() as session:
        return verb(session, instance.id, now=clock.now())


def told(code: str) -> int:
    return db.session().scalar(sa.select(sa.func.count()).where(Notice.code == code)) or 0


def objects(world, instance) -> dict[str, Any]:
    """Every object of the app that outlives its pods, without status and counters."""
    found = deepcopy(world.cluster.objects(label_selector=f"minispod.io/instance={instance.id}"))
    for one in found:
        one.pop("status", None)
        for name in COUNTED:
            one["metadata"].pop(name, None)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found if one["kind"] not in BORN_ANEW}


def row(instance: Instance) -> dict[str, Any]:
    """The instance's columns as they are now."""
    found = again(instance)
    return {column.key: getattr(found, column.key) for column in sa.inspect(Instance).columns}


@pytest.fixture
def running(world, ayu):
    return world.buy_running(ayu.customer)


def test_a_suspended_app_has_no_pod_and_keeps_its_data(world, running):
    assert act(actions.suspend, running)
    world.play()
    assert again(running).state == "SUSPENDED"
    assert world.deployment(running)["spec"]["replicas"] == 0
    kinds = [name.split("/")[0] for name in world.labelled(running)]
    assert "Pod" not in kinds
    assert {"PersistentVolumeClaim", "Secret", "Ingress"} <= set(kinds)


def test_a_resumed_app_is_field_by_field_what_it_was(world, running):
    act(actions.restart, running)
    world.play()
    before, columns = objects(world, running), row(running)
    act(actions.suspend, running)
    world.play()
    assert objects(world, running) != before
    world.pass_time(timedelta(days=20))
    act(actions.resume, running)
    world.play()
    assert objects(world, running) == before
    assert row(running) == columns


def test_an_app_that_was_stopped_comes_back_stopped(world, running):
    act(actions.stop, running)
    world.play()
    before, columns = objects(world, running), row(running)
    act(actions.suspend, running)
    world.play()
    assert again(running).state == "SUSPENDED"
    act(actions.resume, running)
    world.play()
    assert again(running).state == "STOPPED"
    assert (objects(world, running), row(running)) == (before, columns)


def test_suspending_and_resuming_again_change_nothing(world, running):
    assert [act(actions.suspend, running) for _ in range(2)] == [True, False]
    assert again(running).wanted_before_suspension == "RUNNING"
    assert [act(actions.resume, running) for _ in range(2)] == [True, False]


def test_resuming_what_was_never_suspended_starts_nothing(world, running):
    act(actions.stop, running)
    assert not act(actions.resume, running)
    assert again(running).wanted == "STOPPED"


def test_a_suspended_app_is_not_the_customers_to_start_stop_or_restart(world, running):
    act(actions.suspend, running)
    for _ in range(2):
        for verb in (actions.start, actions.stop, actions.restart):
            with pytest.raises(Conflict):
                act(verb, running)
        world.play()
    assert again(running).wanted == "SUSPENDED"


def test_a_fenced_app_is_neither_suspended_nor_resumed(world, running):
    act(actions.suspend, running)
    act(subscriptions.delete_instance, running)
    assert not act(actions.resume, running)
    assert not act(actions.suspend, running)
    world.play()
    assert world.labelled(running) == []


def test_ready_is_told_once_however_often_the_app_comes_back(world, running):
    for _ in range(2):
        act(actions.suspend, running)
        world.play()
        act(actions.resume, running)
        world.play()
    assert (again(running).state, told("instance_ready"), told("instance_outage")) == ("RUNNING", 1, 0)


def test_an_app_suspended_before_it_ever_ran_comes_up_for_the_first_time_afterwards(world, ayu):
    instance = world.buy(ayu.customer)
    act(actions.suspend, instance)
    world.play()
    assert (again(instance).state, told("instance_ready")) == ("SUSPENDED", 0)
    act(actions.resume, instance)
    world.play()
    assert (again(instance).state, told("instance_ready")) == ("RUNNING", 1)


def test_a_cluster_that_is_away_delays_a_suspension_and_calls_it_no_outage(world, running):
    fault = world.cluster.add_fault("reset")
    act(actions.suspend, running)
    world.play(for_at_most=timedelta(hours=2))
    world.cluster.clear_faults(fault.id)
    world.play(for_at_most=timedelta(hours=2))
    assert (again(running).state, told("instance_outage")) == ("SUSPENDED", 0)


def test_an_app_in_an_administrators_hands_stays_there(world, running):
    with transaction() as session:
        session.get_one(Instance, running.id).state = "MAINTENANCE"
    for verb in (actions.suspend, actions.resume):
        assert act(verb, running)
        world.play()
        assert again(running).state == "MAINTENANCE"
    assert world.deployment(running)["spec"]["replicas"] == 1


def test_the_timeline_tells_both(world, running):
    act(actions.suspend, running)
    world.play()
    act(actions.resume, running)
    world.play()
    codes = db.session().scalars(sa.select(InstanceEvent.code).where(InstanceEvent.instance_id == running.id)).all()
    assert {"suspended", "stopped", "resumed", "ready"} <= set(codes)


def test_one_that_never_ran_is_refunded_when_the_cluster_refuses_it_while_suspended(world, ayu):
    instance = world.buy(ayu.customer)
    act(actions.suspend, instance)
    world.play()
    assert (again(instance).state, again(instance).ready_at) == ("SUSPENDED", None)
    world.cluster.add_fault("error", status=403, method="PATCH", path="/deployments/")
    with transaction() as session:
        outbox.enqueue(session, "instances.provision", instance_id=instance.id)
    world.play()
    assert (again(instance).state, again(instance).failure_code) == ("ERROR", "refused")
    assert again(instance).cleaned_up_at is not None
    assert told("instance_failed_refunded") == 1
