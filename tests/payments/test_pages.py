"""A top-up's page: what it offers while money may still come, and that it falls silent afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from portal.core import clock
from portal.core.db import db
from portal.core.outbox import OutboxMessage
from portal.payments import actions
from portal.payments.models import Payment
from tests.conftest import NOON, run_due_work
from tests.payments.counter import PAPERWORK, Counter
from tests.personas import Person, sign_in

AUTO_CHECK = 'id="payments-auto-check"'


@pytest.fixture
def customer(client: FlaskClient, counter: Counter, ayu: Person) -> FlaskClient:
    sign_in(client, ayu.email)
    return client


def region(customer: FlaskClient, payment: Payment) -> str:
    """What htmx gets for the page's region."""
    return customer.get(f"/top-ups/{payment.id}", headers={"HX-Request": "true"}).get_data(as_text=True)


def looks() -> list[datetime]:
    """When the queued looks at the gateway are due."""
    db.session.close()
    statement = sa.select(OutboxMessage.run_at).where(OutboxMessage.name == "payments.check")
    return list(db.session().scalars(statement.order_by(OutboxMessage.run_at)))


def press_check(customer: FlaskClient, payment: Payment) -> None:
    assert customer.post(f"/top-ups/{payment.id}/check").status_code == 303


def test_presses_soon_after_a_look_are_one_more_look_three_seconds_after_it(
    customer: FlaskClient, counter: Counter
) -> None:
    payment = counter.ask()
    press_check(customer, payment)
    for _ in range(3):
        clock.advance(timedelta(milliseconds=900))
        press_check(customer, payment)
    assert looks() == [NOON, NOON + actions.CHECK_AGAIN_AFTER]


def test_money_that_came_right_after_a_look_is_found_by_the_press_that_followed(
    customer: FlaskClient, counter: Counter
) -> None:
    payment = counter.ask()
    press_check(customer, payment)
    counter.look(payment)
    counter.pay(payment)
    clock.advance(timedelta(seconds=1))
    press_check(customer, payment)
    counter.pass_time(actions.CHECK_AGAIN_AFTER)
    run_due_work(without=PAPERWORK)
    assert counter.balance == 50_000


def test_the_page_asks_by_itself_only_while_its_region_is_unfinished(customer: FlaskClient, counter: Counter) -> None:
    payment = counter.ask()
    assert AUTO_CHECK in region(customer, payment)
    assert customer.get(f"/top-ups/{payment.id}").get_data(as_text=True).count(AUTO_CHECK) == 1
    counter.pay(payment)
    counter.deliver(payment)
    assert AUTO_CHECK not in region(customer, payment)
    assert AUTO_CHECK not in customer.get(f"/top-ups/{payment.id}").get_data(as_text=True)


def test_a_refused_card_is_offered_another_method_with_the_same_amount(customer: FlaskClient, counter: Counter) -> None:
    payment = counter.ask(75_000, method="credit_card")
    gateway = counter.outside.midtrans
    card = gateway.choose(counter.attempt(payment).token, "credit_card", card_number="4811111111111114")
    gateway.deny(card.transaction_id, force=True)
    counter.deliver(payment)
    said = region(customer, payment)
    assert "another card or method" not in said
    assert 'href="/top-ups/new?amount=75000"' in said
    assert 'value="75.000"' in customer.get("/top-ups/new?amount=75000").get_data(as_text=True)
