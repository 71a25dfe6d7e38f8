"""What apps use, sampled from the metrics API in one call, and what is noted when there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import use as job
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions
from portal.instances.models import InstanceUse
from portal.provisioning import use
from portal.provisioning.use import Use
from tests.instances.rounds import neighbours
from tests.instances.world import again

METRICS = "metrics.k8s.io"


def samples(instance):
    db.session.rollback()
    statement = sa.select(InstanceUse).where(InstanceUse.instance_id == instance.id)
    return list(db.session().scalars(statement.order_by(InstanceUse.measured_at)))


@pytest.fixture
def mine(world, ayu):
    instance = world.buy_running(ayu.customer)
    world.pass_time(timedelta(minutes=5))
    return instance


def test_every_app_is_sampled_with_one_question(world, mine):
    other = neighbours(world, 1)[0]
    world.pass_time(timedelta(minutes=5))
    world.cluster.journal.clear()
    assert job.measure() == {"measured": 2}
    assert [line["path"] for line in world.cluster.journal] == [use.PATH]
    for instance in (mine, other):
        [sample] = samples(instance)
        assert 0 < sample.cpu_millicores <= again(instance).cpu_millicores
        assert 0 < sample.memory_mib <= again(instance).memory_mib


def test_a_repeat_in_the_minute_changes_nothing_and_the_next_adds_one(world, mine):
    job.measure()
    job.measure()
    world.pass_time(timedelta(minutes=5))
    job.measure()
    assert len(samples(mine)) == 2


def test_an_app_that_rests_is_not_sampled(world, mine):
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    world.play()
    assert job.measure() == {"measured": 0}


@pytest.mark.parametrize(
    "fault, said",
    [
        ({"kind": "absent"}, "not measured by this cluster"),
        ({"kind": "error", "status": 404}, "not measured by this cluster"),
        ({"kind": "error", "status": 500}, "the cluster did not answer"),
        ({"kind": "error", "status": 503}, "the cluster did not answer"),
        ({"kind": "error", "status": 403}, "the cluster did not answer"),
        ({"kind": "reset"}, "the cluster did not answer"),
        ({"kind": "hang", "seconds": 1.5}, "the cluster did not answer"),
    ],
)
def test_no_metrics_is_said_and_nothing_is_noted(world, mine, fault, said):
    world.cluster.add_fault(**fault, path=METRICS)
    assert job.measure() == said
    assert samples(mine) == []


def test_an_app_we_do_not_know_is_left_out(world, mine):
    with transaction() as session:
        noted = actions.record_use(session, {world.plan_id: Use(1, 1), mine.id: Use(2, 3)}, now=clock.now())
    assert noted == 1


@pytest.mark.parametrize(
    "pods, summed",
    [
        ([], {}),
        ([{"metadata": {"labels": {}}, "containers": []}], {}),
        ([{"metadata": {"labels": {"minispod.io/instance": "not-an-id"}}}], {}),
    ],
)
def test_pods_without_our_label_are_nobodys(pods, summed):
    assert use._summed(pods) == summed


def test_containers_and_pods_of_an_app_are_added(world):
    def pod(*usages):
        labels = {"minispod.io/instance": str(world.plan_id)}
        return {"metadata": {"labels": labels}, "containers": [{"usage": usage} for usage in usages]}

    pods = [pod({"cpu": "1500000n", "memory": "524288Ki"}, {"cpu": "2m", "memory": "1Mi"}), pod({"cpu": "1u"})]
    assert use._summed(pods) == {world.plan_id: Use(4, 513)}
    assert use._summed([*pods, pod({"cpu": "odd"})]) == {world.plan_id: Use(4, 513)}
