"""Emptying a node: previewed elsewhere, here carried out: step by step, few at once, resumable, called off."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import nodes as job
from jobs import runner
from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.nodes import drains, queries
from portal.nodes.errors import NothingToMove, NotInThisState
from portal.nodes.models import DrainState, MoveState, NodeDrain, NodeMove
from portal.provisioning import nodes as cluster
from sandbox.kubernetes import PORTAL_TOKEN, service_account
from tests.instances.rounds import neighbours
from tests.provisioning.test_cluster_calls import shipped_rules


@pytest.fixture
def actor(dewi):
    return Actor(dewi.user_id, "192.0.2.1")


@pytest.fixture
def mine(world, ayu):
    """An app of Ayu's, and the node it runs on."""
    world.cluster.accounts[PORTAL_TOKEN] = service_account("minispod-system", "minispod-worker", shipped_rules())
    instance = world.buy_running(ayu.customer)
    job.sync()
    return instance


def place_of(instance):
    return [pod.node for pod in cluster.read_pods_of_instance(instance.id) if not pod.leaving]


def begin(name, actor):
    node = queries.node(db.session(), name)
    pods = list(cluster.read_pods(name))
    with transaction() as session:
        return drains.start(session, node.id, pods, actor=actor, now=clock.now()).id


def found(drain_id):
    db.session.rollback()
    return db.session().get_one(NodeDrain, drain_id, populate_existing=True)


def moves(drain_id):
    statement = sa.select(NodeMove.state).where(NodeMove.drain_id == drain_id).order_by(NodeMove.id)
    db.session.rollback()
    return list(db.session().scalars(statement))


def step(world, *, seconds=5):
    """One step as the worker runs it, then time for both sides."""
    db.session.rollback()
    statement = sa.select(OutboxMessage.id).where(
        OutboxMessage.name == "nodes.drain", OutboxMessage.done_at.is_(None), OutboxMessage.run_at <= clock.now()
    )
    message = db.session().scalar(statement)
    db.session.rollback()
    if message is not None:
        runner.perform(str(message))
    world.pass_time(timedelta(seconds=seconds))


def test_the_app_comes_up_elsewhere_and_the_node_stays_cordoned(world, mine, actor):
    [home] = place_of(mine)
    drain_id = begin(home, actor)
    assert moves(drain_id) == [MoveState.WAITING]
    step(world)
    assert moves(drain_id) == [MoveState.LEAVING]
    for _ in range(6):
        step(world, seconds=20)
    assert found(drain_id).state == DrainState.DONE
    assert moves(drain_id) == [MoveState.MOVED]
    [away] = place_of(mine)
    assert away != home
    assert queries.node(db.session(), home).unschedulable
    [note] = db.session().query(AuditEntry).filter_by(action="node.drain_started")
    assert (note.actor_id, note.ip_address) == (actor.user_id, "192.0.2.1")
    assert note.facts["after"] == {"draining": True}


def test_a_second_one_is_refused_while_the_first_goes_on(world, mine, actor):
    [home] = place_of(mine)
    begin(home, actor)
    with pytest.raises(NotInThisState):
        begin(home, actor)


def test_an_empty_node_has_nothing_to_move(world, mine, actor):
    [home] = place_of(mine)
    empty = next(name for name in ("node-1", "node-2", "node-3") if name != home)
    with pytest.raises(NothingToMove):
        begin(empty, actor)


def test_a_budget_holds_it_until_it_is_lifted(world, mine, actor):
    [home] = place_of(mine)
    world.cluster.add_fault("disruption-budget")
    drain_id = begin(home, actor)
    for _ in range(3):
        step(world)
    assert moves(drain_id) == [MoveState.BLOCKED]
    assert place_of(mine) == [home]
    world.cluster.clear_faults()
    for _ in range(6):
        step(world, seconds=20)
    assert found(drain_id).state == DrainState.DONE


def test_nobody_else_is_asked_while_one_has_no_room(world, mine, actor):
    others = neighbours(world, 3)
    for name in ("node-2", "node-3"):
        cluster.set_schedulable(name, False)
    for name in ("node-1", "node-2", "node-3"):
        for pod in cluster.read_pods(name):
            if pod.node != "node-1":
                cluster.evict(pod)
    world.cluster.settle()
    assert {place for one in (mine, *others) for place in place_of(one)} == {"node-1"}
    job.sync()
    drain_id = begin("node-1", actor)
    for _ in range(8):
        step(world, seconds=20)
    states = moves(drain_id)
    assert states.count(MoveState.NO_ROOM) == drains.AT_ONCE
    assert states.count(MoveState.WAITING) == len(others) + 1 - drains.AT_ONCE
    assert found(drain_id).ended_at is None
    with transaction() as session:
        drains.cancel(session, found(drain_id).node_id, actor=actor, now=clock.now())
    step(world)
    assert found(drain_id).state == DrainState.CANCELLED


def test_a_worker_that_dies_after_asking_goes_on_from_what_it_sees(world, mine, actor):
    [home] = place_of(mine)
    drain_id = begin(home, actor)
    [pod] = cluster.read_pods(home)
    cluster.evict(pod)  # asked, and then the worker died before it wrote that down
    for _ in range(7):
        step(world, seconds=20)
    assert found(drain_id).state == DrainState.DONE
    assert place_of(mine) != [home]


def test_a_silent_cluster_is_waited_for_and_its_trouble_named(world, mine, actor):
    [home] = place_of(mine)
    drain_id = begin(home, actor)
    world.cluster.add_fault("error", status=503, path="/api/v1")
    step(world)
    assert found(drain_id).trouble == "CLUSTER_UNAVAILABLE"
    world.cluster.clear_faults()
    for _ in range(8):
        step(world, seconds=20)
    assert (found(drain_id).state, found(drain_id).trouble) == (DrainState.DONE, "")


def test_what_has_not_moved_in_time_is_left_to_a_person(world, mine, actor):
    [home] = place_of(mine)
    world.cluster.add_fault("disruption-budget")
    drain_id = begin(home, actor)
    step(world)
    clock.advance(drains.TIME_MAX)
    step(world)
    assert found(drain_id).state == DrainState.INCOMPLETE


def test_a_refused_pod_does_not_hold_the_others(world, mine, actor):
    [home] = place_of(mine)
    drain_id = begin(home, actor)
    world.cluster.add_fault("error", status=400, path="/eviction")
    step(world)
    assert moves(drain_id) == [MoveState.REFUSED]
    assert found(drain_id).state == DrainState.INCOMPLETE
