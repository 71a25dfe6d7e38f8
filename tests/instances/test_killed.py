"""A worker killed by SIGKILL before and after each call to the cluster: the lease ends, another one completes, once."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import LEASE, OutboxMessage
from portal.notices.models import Notice
from portal.subscriptions import actions as subscriptions
from tests.instances.world import again, run_instance_work, timeline

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30
BEFORE, AFTER = False, True


def kill_worker_at(world, job, *, method, path, after):
    """Runs the next message of `job` in a process of its own and kills it while that call hangs."""
    message = sa.select(OutboxMessage.id).where(OutboxMessage.name == job, OutboxMessage.done_at.is_(None))
    found = str(db.session().scalars(message).one())
    db.session.rollback()
    fault = world.cluster.add_fault("hang", method=method, path=path, seconds=PATIENCE_S, after=after, remaining=1)
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.instances.victim", found, clock.now().isoformat()], cwd=ROOT
    )
    try:
        assert wait_until(lambda: any(line["fault"] == "hang" for line in world.cluster.journal), worker)
    finally:
        worker.kill()
        worker.wait(timeout=10)
    world.cluster.clear_faults(fault.id)


def wait_until(happened, worker):
    """Waits for another process, whose pace is not ours; gives up when it ends without."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 10):
        if happened():
            return True
        if worker.poll() is not None:
            return happened()
        pause.wait(0.1)
    return False


@pytest.fixture
def patient(monkeypatch):
    """The victim must still be waiting when it dies."""
    monkeypatch.setenv("CLUSTER_TIMEOUT_S", "60")


@pytest.mark.slow
@pytest.mark.parametrize(
    "method, path, after",
    [
        ("PATCH", "/namespaces/user-[0-9]+\\?", BEFORE),
        ("PATCH", "/secrets/", AFTER),
        ("PATCH", "/deployments/", AFTER),
        ("PATCH", "/ingresses/", AFTER),
    ],
)
def test_a_worker_killed_while_it_applies_is_replaced(world, patient, ayu, method, path, after):
    instance = world.buy(ayu.customer)
    kill_worker_at(world, "instances.provision", method=method, path=path, after=after)
    assert again(instance).state == "PROVISIONING"
    clock.advance(LEASE)
    world.play()
    assert again(instance).state == "RUNNING"
    assert timeline(instance).count("ready") == 1
    assert len([one for one in world.labelled(instance) if one.startswith("Pod/")]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("path, after", [("/pods", BEFORE), ("/deployments/", AFTER)])
def test_a_worker_killed_while_it_looks_is_replaced(world, patient, ayu, path, after):
    instance = world.buy(ayu.customer)
    run_instance_work()
    world.pass_time(timedelta(seconds=10))
    kill_worker_at(world, "instances.check", method="GET", path=path, after=after)
    clock.advance(LEASE)
    world.play()
    assert again(instance).state == "RUNNING"
    assert told("instance_ready") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "method, path, after", [("GET", "/ingresses", BEFORE), ("DELETE", "/deployments/", AFTER), ("GET", "/pods", AFTER)]
)
def test_a_worker_killed_while_it_cleans_up_is_replaced(world, patient, ayu, method, path, after):
    instance = world.buy_running(ayu.customer)
    with transaction() as session:
        subscriptions.delete_instance(session, instance.id, now=clock.now())
    kill_worker_at(world, "instances.clean_up", method=method, path=path, after=after)
    clock.advance(LEASE)
    world.play()
    assert again(instance).cleaned_up_at is not None
    assert world.labelled(instance) == []
    assert db.session().get_one(Plan, world.plan_id, populate_existing=True).slots_used == 0
    assert told("instance_deleted") == 1


def told(code):
    return db.session().scalar(sa.select(sa.func.count()).where(Notice.code == code))
