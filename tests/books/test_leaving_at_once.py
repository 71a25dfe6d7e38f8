"""Leaving, renewing, resuming and credit that arrives, all at the same moment: money and slots move once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions import actions
from portal.subscriptions.actions import renewing
from portal.subscriptions.models import Subscription, SubscriptionCharge
from portal.subscriptions.rules.refunds import Agreed
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.instances.world import PRICE
from tests.subscriptions.owned import Owner, come_up, fall_asleep, now_of, quoted

pytestmark = pytest.mark.usefixtures("clean_books")
MONTH = timedelta(days=31)


@pytest.fixture
def owner(customer: UUID) -> Owner:
    return Owner(customer, "")


@pytest.fixture
def running(portal: Flask, owner: Owner) -> UUID:
    """An app paid for one month, with credit for more."""
    plan = shop.sell()
    shop.give(owner.customer_id, 5 * PRICE)
    subscription_id = shop.buy(owner.customer_id, plan)
    come_up(subscription_id)
    return subscription_id


def cancel(owner: Owner, subscription_id: UUID, agreed: Agreed | None = None) -> None:
    with transaction() as session:
        actions.cancel_now(session, subscription_id, owner.customer_id, agreed=agreed, now=clock.now())


def resume(owner: Owner, subscription_id: UUID) -> None:
    with transaction() as session:
        actions.resume(session, subscription_id, owner.customer_id, now=clock.now())


def delete(subscription_id: UUID) -> bool:
    with transaction() as session:
        return actions.delete_instance(session, shop.instance_of(subscription_id), now=clock.now())


def renew() -> None:
    with transaction() as session:
        renewing.run_due(session, now=clock.now(), limit=100)


def use_credit(owner: Owner) -> None:
    with transaction() as session:
        renewing.use_credit(session, owner.customer_id, now=clock.now())


def charges() -> list[tuple[str, int]]:
    db.session.close()
    statement = sa.select(SubscriptionCharge.kind, SubscriptionCharge.refunded).order_by(SubscriptionCharge.charged_at)
    return [tuple(row) for row in db.session().execute(statement)]


def test_ten_cancel_clicks_are_one_refund(portal, owner, running) -> None:
    clock.advance(MONTH / 2)
    agreed = quoted(running)
    assert errors(all_at_once(portal, [partial(cancel, owner, running, agreed)] * 10)) == []
    assert (shop.balance(owner.customer_id), shop.entries("PURCHASE_REFUND")) == (4 * PRICE + PRICE // 2, 1)


def test_cancelling_and_deleting_the_app_at_once_is_one_end(portal, owner, running) -> None:
    deeds: list[Any] = [partial(cancel, owner, running), partial(delete, running)] * 5
    assert set(errors(all_at_once(portal, deeds))) <= {"SubscriptionEnded"}
    assert (shop.balance(owner.customer_id), shop.entries("PURCHASE_REFUND")) == (5 * PRICE, 1)
    assert not now_of(running).live


def test_a_cancellation_that_races_with_the_renewal_costs_at_most_what_is_given_back(portal, owner, running) -> None:
    clock.advance(MONTH)
    deeds: list[Any] = [renew, partial(cancel, owner, running)] * 5
    assert errors(all_at_once(portal, deeds)) == []
    assert now_of(running).status == "CANCELLED"
    # Renewed first and then cancelled at the same instant, or cancelled first: no period was used either way.
    assert shop.balance(owner.customer_id) == 4 * PRICE
    assert charges() in ([("FIRST", 0)], [("FIRST", 0), ("RENEWAL", PRICE)])


def test_a_resumption_pressed_ten_times_while_credit_arrives_is_charged_once(portal, owner, running) -> None:
    fall_asleep(running)
    deeds: list[Any] = [partial(resume, owner, running), partial(use_credit, owner)] * 5
    assert errors(all_at_once(portal, deeds)) == []
    assert [kind for kind, _ in charges()] == ["FIRST", "RESUMPTION"]
    assert (now_of(running).status, shop.balance(owner.customer_id)) == ("ACTIVE", 3 * PRICE)
    assert shop.slots_used(now_of(running).plan_id) == 1


def test_ending_and_resuming_at_once_is_one_or_the_other(portal, owner, running) -> None:
    fall_asleep(running)
    deeds: list[Any] = [partial(cancel, owner, running), partial(resume, owner, running)] * 5
    assert set(errors(all_at_once(portal, deeds))) <= {"CannotResume"}
    assert now_of(running).status == "CANCELLED"
    assert shop.balance(owner.customer_id) == 4 * PRICE


def test_orders_from_two_windows_leave_one_order(portal, owner, running) -> None:
    other = shop.buy(owner.customer_id, shop.another_app())
    deeds = [partial(order, owner, one, place) for one in (running, other) for place in (1, 2)] * 3
    assert errors(all_at_once(portal, deeds)) == []
    db.session.close()
    assert sorted(one.renewal_order for one in db.session().query(Subscription)) == [1, 2]


def order(owner: Owner, subscription_id: UUID, place: int) -> None:
    with transaction() as session:
        actions.set_order(session, subscription_id, owner.customer_id, place=place, now=clock.now())
