"""A look at one roll-out ends while the next one begins: what was seen of the old one says nothing of the new."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import instances as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions
from portal.instances.actions import resizing
from tests.conftest import run_due_work
from tests.instances.world import again

PATIENCE_S = 10


@pytest.fixture
def restarted(world, ayu):
    """Up again after a restart, which nobody has looked at yet."""
    instance = world.buy_running(ayu.customer)
    with transaction() as session:
        actions.restart(session, instance.id, now=clock.now())
    run_due_work(without=("instances.check",))
    world.pass_time(timedelta(minutes=1))
    return again(instance)


def test_a_look_at_the_restart_does_not_end_the_resize(portal, restarted):
    roll_out = actions.roll_out_key(restarted)
    look = threading.Thread(target=_look, args=(portal, restarted.id, roll_out), daemon=True)
    with transaction() as session:
        resizing.resize(
            session, restarted.id, cpu_millicores=1000, memory_mib=2048, code="resize_started", now=clock.now()
        )
        session.flush()
        look.start()
        _until_somebody_waits()
    look.join(PATIENCE_S)
    now_it_is = again(restarted)
    assert now_it_is.resized_from_memory_mib == restarted.memory_mib
    assert (now_it_is.state, now_it_is.deadline_at is not None) == ("PROVISIONING", True)


def _look(portal, instance_id, roll_out):
    with portal.app_context():
        try:
            jobs.check(str(instance_id), roll_out)
        finally:
            db.session.remove()


def _until_somebody_waits():
    give_up_at = time.monotonic() + PATIENCE_S
    with db.engine.connect() as looking:
        while not looking.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert time.monotonic() < give_up_at, "nobody looked"
