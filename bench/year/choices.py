"""What customers do now and then, and how likely on one moment of a day."""

from __future__ import annotations

import sqlalchemy as sa

from bench.year.people import Person
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions as instances
from portal.instances.models import Instance, WantedState
from portal.subscriptions import actions


def stop_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.RUNNING, Instance.ready_at.is_not(None))
    with transaction() as session:
        instances.stop(session, app.id, now=clock.now())


def start_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.STOPPED)
    with transaction() as session:
        instances.start(session, app.id, now=clock.now())


def restart_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.RUNNING)
    with transaction() as session:
        instances.restart(session, app.id, now=clock.now())


def delete_app(person: Person) -> None:
    app = person.some_app(Instance.fenced_at.is_(None), Instance.ready_at.is_not(None))
    with transaction() as session:
        actions.delete_instance(session, app.id, now=clock.now())


def buy_another(person: Person) -> None:
    plans = db.session().scalars(sa.select(Plan.id).where(Plan.active, Plan.plan_type == "BASIC")).all()
    db.session.close()
    person.want(person.chance.choice(plans))


CHOICES = (
    (0.002, stop_app),
    (0.004, start_app),
    (0.001, restart_app),
    (0.0002, delete_app),
    (0.0008, buy_another),
)
