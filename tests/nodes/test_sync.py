"""What the cluster lists, taken over: nodes, their room, where apps are; with no more rights than are shipped."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import nodes as job
from portal.core import clock
from portal.core.db import db
from portal.nodes import queries
from portal.nodes.models import Node, NodeApp
from portal.provisioning import nodes as cluster
from portal.provisioning.errors import Missing
from portal.provisioning.nodes import Amounts, Eviction, _pod, _requests
from sandbox.kubernetes import PORTAL_TOKEN, service_account
from tests.provisioning.test_cluster_calls import shipped_rules


@pytest.fixture(autouse=True)
def with_shipped_rights(world):
    world.cluster.accounts[PORTAL_TOKEN] = service_account("minispod-system", "minispod-worker", shipped_rules())


def nodes():
    db.session.rollback()
    statement = sa.select(Node).order_by(Node.name).execution_options(populate_existing=True)
    return list(db.session().scalars(statement))


def test_every_node_is_taken_over_with_its_room(world, ayu):
    instance = world.buy_running(ayu.customer)
    assert job.sync() == {"nodes": 3, "gone": 0, "apps": 1}
    first = nodes()[0]
    assert (first.name, first.ready, first.unschedulable) == ("node-1", True, False)
    assert first.capacity == Amounts(16_000, 64 * 2**30, 264212084 * 1024, 110)
    assert first.labels["kubernetes.io/hostname"] == "node-1"
    assert (first.kubelet_version, first.architecture) == ("v1.36.2", "amd64")
    [placed] = db.session().scalars(sa.select(NodeApp)).all()
    assert (placed.instance_id, placed.claim, placed.ready) == (instance.id, f"{instance.name}-data", True)
    home = next(node for node in nodes() if node.name == placed.node_name)
    assert home.requested == Amounts(125, 2**30, 64 * 2**20, 1)
    assert queries.node(db.session(), "node-1").id == first.id
    assert queries.node(db.session(), str(first.id)).name == "node-1"


def test_a_repeat_changes_nothing_but_the_time(world, ayu):
    world.buy_running(ayu.customer)
    job.sync()
    before = [(node.id, node.requested) for node in nodes()]
    clock.advance(timedelta(minutes=5))
    job.sync()
    assert [(node.id, node.requested) for node in nodes()] == before
    assert {node.synced_at for node in nodes()} == {clock.now()}


def test_a_node_that_is_no_longer_listed_is_gone_until_it_comes_back(world):
    job.sync()
    store = world.cluster.store
    node = store.objects[("nodes", "", "node-3")]
    with store.lock:
        store.remove(_resource("nodes"), node)
    assert job.sync() == {"nodes": 2, "gone": 1, "apps": 0}
    assert nodes()[2].gone_at is not None
    assert job.sync()["gone"] == 0
    with store.lock:
        store.add(_resource("nodes"), node)
    job.sync()
    assert nodes()[2].gone_at is None


def _resource(plural):
    from sandbox.kubernetes.kinds import BY_KEY

    return BY_KEY[plural]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 500, "path": "/api/v1/nodes"},
        {"kind": "error", "status": 403, "path": "/api/v1/pods"},
        {"kind": "reset", "path": "/api/v1/pods"},
        {"kind": "hang", "seconds": 1.5, "path": "/api/v1/nodes"},
    ],
)
def test_half_an_answer_changes_nothing(world, fault):
    job.sync()
    before = [node.synced_at for node in nodes()]
    clock.advance(timedelta(minutes=5))
    world.cluster.add_fault(**fault)
    assert job.sync() == "the cluster did not answer"
    assert [node.synced_at for node in nodes()] == before


def test_cordoning_is_told_and_may_be_repeated(world):
    for _ in range(2):
        cluster.set_schedulable("node-1", False)
    job.sync()
    assert [node.unschedulable for node in nodes()] == [True, False, False]
    for _ in range(2):
        cluster.set_schedulable("node-1", True)
    job.sync()
    assert not nodes()[0].unschedulable
    with pytest.raises(Missing):
        cluster.set_schedulable("node-9", False)


def test_an_eviction_is_asked_blocked_or_too_late(world, ayu):
    instance = world.buy_running(ayu.customer)
    [pod] = cluster.read_pods_of_instance(instance.id)
    world.cluster.add_fault("disruption-budget")
    assert cluster.evict(pod) is Eviction.BLOCKED
    world.cluster.clear_faults()
    assert cluster.evict(pod) is Eviction.ASKED
    world.cluster.settle()
    assert cluster.evict(pod) is Eviction.GONE


def test_events_of_a_node_are_its_own(world):
    cluster.set_schedulable("node-1", False)
    world.cluster.advance(1)
    assert [event.reason for event in cluster.read_events("node-1")] == ["NodeNotSchedulable"]
    assert cluster.read_events("node-2") == []


def test_a_local_volume_is_pinned_to_its_host(world, ayu, monkeypatch):
    from config import settings

    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "local")
    settings.cache_clear()
    world.cluster.add_storage_class("local")
    instance = world.buy_running(ayu.customer)
    [pod] = cluster.read_pods_of_instance(instance.id)
    assert cluster.read_pins() == {(instance.namespace, f"{instance.name}-data"): frozenset({pod.node})}


def test_the_scheduler_counts_sidecars_and_the_largest_init_container():
    def one(cpu, **more):
        return {"resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}} | more

    spec = {
        "containers": [one("100m"), one("50m")],
        "initContainers": [one("20m", restartPolicy="Always"), one("300m"), one("10m")],
    }
    assert _requests(spec) == Amounts(320, 3 * 2**20, 0, 1)
    assert _requests({"containers": [{}]}) == Amounts(0, 0, 0, 1)


@pytest.mark.parametrize(
    "owners, notes, stays",
    [
        ([{"kind": "ReplicaSet", "controller": True}], {}, False),
        ([{"kind": "DaemonSet", "controller": True}], {}, True),
        ([{"kind": "Node", "controller": True}], {"kubernetes.io/config.mirror": "x"}, True),
        ([], {}, True),
    ],
)
def test_what_belongs_to_its_node_stays(owners, notes, stays):
    metadata = {"namespace": "a", "name": "b", "uid": "c", "ownerReferences": owners, "annotations": notes}
    assert _pod({"metadata": metadata}).stays is stays
