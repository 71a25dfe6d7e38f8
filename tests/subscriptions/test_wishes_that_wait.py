"""*Pay and launch* while the operator holds launches back, and after its owner has left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from portal.core import clock, switches
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.core.switches import Switch
from portal.subscriptions import intents
from portal.subscriptions.models import LaunchIntent, Subscription
from tests.personas import PASSWORD, Person, sign_in
from tests.subscriptions.shop import credit, plan_of

pytestmark = pytest.mark.usefixtures("shop")


def _wish(person: Person) -> None:
    plan_id = plan_of("n8n")
    with transaction() as session:
        intents.note_intent(session, person.customer_id, plan_id, "MONTHLY", now=clock.now())


def _hold_back(reason: str) -> None:
    with transaction() as session:
        switches.set_value(session, Switch.NO_PROVISIONING, reason, now=clock.now())


def _wish_status() -> str:
    db.session.rollback()
    return db.session().scalars(sa.select(LaunchIntent.status)).one()


def _work_for(hours: int, drain: Callable[..., int]) -> None:
    for _ in range(hours * 30):
        drain(without=("invoices.issue", "notices.deliver", "instances.provision"))
        clock.advance(timedelta(minutes=2))


def test_paid_wishes_outlast_a_long_pause_of_launches(ayu: Person, drain: Callable[..., int]) -> None:
    _wish(ayu)
    _hold_back("the cluster is being moved")
    credit(ayu.customer_id, 1_000_000)
    _work_for(3, drain)
    assert _wish_status() == "WAITING"
    _hold_back("")
    _work_for(1, drain)
    assert _wish_status() == "FULFILLED"
    assert db.session().scalars(sa.select(OutboxMessage.name).where(OutboxMessage.failed_at.is_not(None))).all() == []


def test_money_that_comes_after_somebody_left_launches_nothing(
    client: FlaskClient, ayu: Person, drain: Callable[..., int]
) -> None:
    _wish(ayu)
    assert sign_in(client, ayu.email).post("/profile/deactivation", data={"current": PASSWORD}).status_code == 303
    credit(ayu.customer_id, 1_000_000)
    _work_for(1, drain)
    assert _wish_status() == "CANCELLED"
    assert db.session().scalars(sa.select(Subscription.id)).all() == []
