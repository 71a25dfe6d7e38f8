"""Two schedulers, five workers, an administrator and a customer at once: each period is charged once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import periodic
from jobs import subscriptions as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions.actions import renewing
from portal.subscriptions.models import RenewalAttempt, Subscription, SubscriptionCharge
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.instances.world import PRICE

pytestmark = pytest.mark.usefixtures("clean_books")
CUSTOMERS = 24


@pytest.fixture
def crowd(portal: Flask) -> list[UUID]:
    """Customers whose first month is over, each with credit for exactly one more."""
    plan = shop.sell(slots=CUSTOMERS)
    people = [shop.open_customer() for _ in range(CUSTOMERS)]
    for person in people:
        shop.give(person, 2 * PRICE)
        shop.buy(person, plan)
    clock.advance(timedelta(days=31))
    return people


def by_hand(app: Flask) -> None:
    """The impatient administrator."""
    result = app.test_cli_runner().invoke(args=["subscriptions", "renew"])
    assert result.exit_code == 0, result.output


def kinds() -> dict[str, int]:
    db.session.rollback()
    statement = sa.select(SubscriptionCharge.kind, sa.func.count()).group_by(SubscriptionCharge.kind)
    return dict(db.session().execute(statement).tuples().all())


def test_two_schedulers_five_workers_and_an_administrator_charge_nobody_twice(
    portal: Flask, crowd: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 5)
    deeds: list[Callable[[], Any]] = [partial(periodic.run, "renewals")] * 2
    deeds += [jobs.renew_due] * 5 + [partial(by_hand, portal)]
    assert errors(all_at_once(portal, deeds)) == []
    jobs.renew_due()
    assert kinds() == {"FIRST": CUSTOMERS, "RENEWAL": CUSTOMERS}
    assert {shop.balance(person) for person in crowd} == {0}
    assert shop.count(RenewalAttempt) == CUSTOMERS


def test_a_run_and_every_customers_own_credit_at_once_charge_once(portal: Flask, crowd: list[UUID]) -> None:
    deeds: list[Callable[[], Any]] = [partial(jobs.use_credit, str(person)) for person in crowd[:8]]
    outcomes = all_at_once(portal, [*deeds, jobs.renew_due, jobs.renew_due])
    assert errors(outcomes) == []
    jobs.renew_due()
    assert kinds()["RENEWAL"] == CUSTOMERS


def test_one_credit_for_one_of_two_apps_pays_one_though_many_try(portal: Flask, customer: UUID) -> None:
    plans = [shop.sell(), shop.another_app()]
    shop.give(customer, 2 * PRICE)
    for plan in plans:
        shop.buy(customer, plan)
    clock.advance(timedelta(days=31))
    jobs.renew_due()
    shop.give(customer, PRICE)
    outcomes = all_at_once(portal, [partial(jobs.use_credit, str(customer)), jobs.renew_due] * 5)
    assert errors(outcomes) == []
    assert (shop.balance(customer), kinds()["RENEWAL"], shop.live(customer)) == (0, 1, 1)


def test_a_suspension_and_the_credit_that_prevents_it_leave_one_or_the_other(portal: Flask, crowd: list[UUID]) -> None:
    for person in crowd:
        shop.give(person, -PRICE)
    for _ in range(7):
        jobs.renew_due()
        clock.advance(timedelta(days=1))
    deeds: list[Callable[[], Any]] = [partial(give_and_use, person) for person in crowd]
    assert errors(all_at_once(portal, [*deeds, jobs.renew_due, jobs.renew_due])) == []
    for person in crowd:
        jobs.use_credit(str(person))
    assert {shop.balance(person) for person in crowd} == {0}
    assert shop.count(Subscription, Subscription.status == "ACTIVE") == CUSTOMERS


def give_and_use(person: UUID) -> None:
    shop.give(person, PRICE)
    jobs.use_credit(str(person))


def test_the_last_slot_resumes_one_of_two(portal: Flask) -> None:
    plan = shop.sell(slots=2)
    people = [shop.open_customer() for _ in range(2)]
    for person in people:
        shop.give(person, PRICE)
        shop.buy(person, plan)
    clock.advance(timedelta(days=31))
    jobs.renew_due()
    clock.advance(timedelta(days=7))
    assert jobs.renew_due() == {"suspended": 2}
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET slots_total = 1"))
    for person in people:
        shop.give(person, PRICE)
    outcomes = all_at_once(portal, [partial(jobs.use_credit, str(person)) for person in people])
    assert errors(outcomes) == []
    assert sorted(shop.balance(person) for person in people) == [0, PRICE]
    assert shop.slots_used(plan) == 1


def test_a_batch_that_others_hold_is_left_to_them(portal: Flask, crowd: list[UUID]) -> None:
    with transaction() as session:
        taken = renewing.run_due(session, now=clock.now(), limit=CUSTOMERS)
        with ThreadPoolExecutor(1) as pool:
            others = pool.submit(elsewhere, portal, jobs.renew_due).result()
        assert (len(taken), others) == (CUSTOMERS, {})


def elsewhere(app: Flask, deed: Callable[[], Any]) -> Any:
    with app.app_context():
        return deed()
