"""Rounds of health checks, and apps whose address falls silent and comes back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from jobs import health
from portal.core import clock
from portal.core.db import db
from portal.instances import checks
from portal.instances.models import Instance, InstanceOutage
from portal.notices.models import Mail, Notice
from sandbox.kubernetes.kinds import INGRESSES
from tests.instances.world import World
from tests.personas import register_person


def check_again(times: int = 1) -> dict[str, int]:
    """So many rounds, each at its time; the last one's counts."""
    counts: dict[str, int] = {}
    for _ in range(times):
        clock.advance(checks.INTERVAL)
        counts = health.check_apps()
    return counts


@contextmanager
def silenced(world: World, *instances: Instance) -> Iterator[None]:
    """Nobody knows the apps' addresses inside the block."""
    store = world.cluster.store
    with store.lock:
        taken = [copy.deepcopy(store.get(INGRESSES, one.namespace, one.name)) for one in instances]
        for ingress in taken:
            store.remove(INGRESSES, ingress)
    yield
    with store.lock:
        for ingress in taken:
            store.add(INGRESSES, ingress)


def outages(instance: Instance) -> list[InstanceOutage]:
    db.session.rollback()
    statement = sa.select(InstanceOutage).where(InstanceOutage.instance_id == instance.id)
    return list(db.session().scalars(statement.order_by(InstanceOutage.began_at)))


def heard(instance: Instance) -> list[str]:
    """What its customer was told about the health of their apps, oldest first."""
    db.session.rollback()
    codes = ("app_silent", "app_answers_again")
    statement = sa.select(Notice.code).where(Notice.customer_id == instance.customer_id, Notice.code.in_(codes))
    return list(db.session().scalars(statement.order_by(Notice.id)))


def mailed(code: str) -> list[Mail]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(Mail).where(Mail.code == code).order_by(Mail.id)))


def neighbours(world: World, count: int) -> list[Instance]:
    """The running apps of so many more customers."""
    found = []
    for number in range(count):
        _, customer = register_person(f"Rina {number}", f"rina{number}@example.com")
        found.append(world.buy_running(customer))
    return found
