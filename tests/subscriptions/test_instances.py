"""Several apps under one subscription, and what becomes of it when one fails, goes or is one too many."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask_babel import force_locale

from config import settings
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import NotFound
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.notices import wording
from portal.notices.models import Notice
from portal.subscriptions import actions
from portal.subscriptions.errors import NoRoomForInstance
from portal.subscriptions.models import Subscription
from portal.wallet import queries as wallet
from tests.books_audit import assert_books_are_clean
from tests.personas import Person, sign_in
from tests.subscriptions.shop import buy, credit, plan_of, stock_catalog

ENTERPRISE_PRICE = 325_000  # n8n Enterprise: three apps, with its setup fee


@pytest.fixture
def large(portal, ayu: Person) -> Subscription:
    """Ayu's subscription to a plan that runs three apps."""
    stock_catalog()
    credit(ayu.customer_id, 400_000)
    subscription = buy(ayu.customer_id, plan_of("n8n", "ENTERPRISE"))
    db.session.close()
    return subscription


def apps(subscription: Subscription) -> list[Instance]:
    db.session.close()
    statement = sa.select(Instance).where(Instance.subscription_id == subscription.id).order_by(Instance.id)
    return list(db.session().scalars(statement))


def add(subscription: Subscription, *, running: int) -> Instance:
    with transaction() as session:
        return actions.add_instance(
            session, subscription.id, subscription.customer_id, running=running, now=clock.now()
        )


def come_up(instance: Instance) -> None:
    with transaction() as session:
        locked = instances.locked(session, instance.id)
        instances.begin_roll_out(session, locked, now=clock.now())
        instances.mark_ready(session, locked, now=clock.now())


def fail(instance: Instance) -> None:
    with transaction() as session:
        instances.begin_roll_out(session, instances.locked(session, instance.id), now=clock.now())
        actions.fail_provisioning(session, instance.id, code="crash_loop", parameters={}, now=clock.now())


def status(subscription: Subscription) -> str:
    db.session.close()
    return db.session().get_one(Subscription, subscription.id).status


def balance(subscription: Subscription) -> int:
    db.session.close()
    return wallet.available(db.session(), subscription.customer_id).amount


def test_more_apps_cost_nothing_up_to_the_plans_limit(large) -> None:
    before = balance(large)
    add(large, running=1)
    add(large, running=2)
    with pytest.raises(NoRoomForInstance):
        add(large, running=3)
    assert len(apps(large)) == 3
    assert balance(large) == before
    assert_books_are_clean()


def test_a_double_press_adds_one(large) -> None:
    add(large, running=1)
    with pytest.raises(NoRoomForInstance):
        add(large, running=1)
    assert len(apps(large)) == 2


def test_a_further_app_that_fails_is_not_refunded_and_ends_nothing(large) -> None:
    come_up(apps(large)[0])
    second = add(large, running=1)
    before = balance(large)
    fail(second)
    assert (status(large), balance(large)) == ("ACTIVE", before)
    assert_books_are_clean()


def told(subscription: Subscription) -> wording.Said:
    """The last thing the customer was told."""
    statement = sa.select(Notice).where(Notice.customer_id == subscription.customer_id).order_by(Notice.id.desc())
    notice = db.session().scalars(statement.limit(1)).one()
    with force_locale("en"):
        return wording.word(notice.code, notice.parameters)


def test_a_further_app_that_fails_is_told_without_a_word_of_money_given_back(large) -> None:
    come_up(apps(large)[0])
    fail(add(large, running=1))
    said = told(large)
    assert said.title == "n8n could not be started"
    assert "no money moved" in said.body
    assert said.path == f"/subscriptions/{large.id}"


def test_the_only_app_that_fails_is_refunded_in_full_with_its_setup_fee(large) -> None:
    fail(apps(large)[0])
    assert (status(large), balance(large)) == ("CANCELLED", 400_000)
    assert_books_are_clean()


def delete(instance: Instance) -> None:
    with transaction() as session:
        actions.delete_instance(session, instance.id, now=clock.now())


@pytest.mark.parametrize("rule", ["pro_rata", "none"])
def test_the_last_one_left_fails_so_the_unused_time_comes_back_and_nothing_is_renewed(large, monkeypatch, rule) -> None:
    monkeypatch.setattr(settings(), "refund_rule", rule)
    first = apps(large)[0]
    come_up(first)
    setup_fee = db.session().get_one(Plan, large.plan_id).setup_fee
    clock.advance((large.period_ends_at - large.period_started_at) / 2)
    second, before = add(large, running=1), balance(large)
    delete(first)
    fail(second)
    back = balance(large) - before
    assert abs(back - (ENTERPRISE_PRICE - setup_fee) / 2) <= 1
    assert status(large) == "CANCELLED"
    assert f"{back:,}".replace(",", ".") in told(large).body
    assert_books_are_clean()


def test_whoever_ran_something_before_has_had_their_trial(large) -> None:
    first = apps(large)[0]
    come_up(first)
    second = add(large, running=1)
    delete(first)
    fail(second)
    db.session.close()
    assert db.session().get_one(Subscription, large.id).end_reason == "deleted"


def test_deleting_one_of_two_keeps_the_subscription_and_its_slot(large) -> None:
    come_up(apps(large)[0])
    second = add(large, running=1)
    come_up(second)
    with transaction() as session:
        actions.delete_instance(session, second.id, now=clock.now())
    with transaction() as session:
        actions.confirm_clean_up(session, second.id, now=clock.now())
    assert status(large) == "ACTIVE"
    assert_books_are_clean()
    first = apps(large)[0]
    with transaction() as session:
        actions.delete_instance(session, first.id, now=clock.now())
    assert status(large) == "CANCELLED"
    assert_books_are_clean()


def test_a_stranger_adds_nothing(large, citra: Person) -> None:
    with pytest.raises(NotFound), transaction() as session:
        actions.add_instance(session, large.id, citra.customer_id, running=1, now=clock.now())


def test_the_page_offers_another_app_and_the_button_launches_it(large, client) -> None:
    sign_in(client, "ayu@example.com")
    page = client.get(f"/subscriptions/{large.id}").text
    assert "Launch another n8n" in page
    answer = client.post(f"/subscriptions/{large.id}/instances", data={"running": "1"})
    assert answer.status_code == 303
    assert len(apps(large)) == 2
    assert client.post(f"/subscriptions/{large.id}/instances", data={"running": "1"}).status_code == 409
    assert client.post(f"/subscriptions/{large.id}/instances", data={"running": "many"}).status_code == 409
