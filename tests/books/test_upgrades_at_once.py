"""Changes of plan under true concurrency: one press or ten, one slot or none, and whoever else comes at that moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances.models import Instance
from portal.subscriptions import actions
from portal.subscriptions.actions import changing
from portal.subscriptions.models import PlanChange, Subscription, SubscriptionCharge
from tests.books import shop
from tests.books.crowd import all_at_once, errors
from tests.subscriptions.upgrades.stairs import BASIC, MONTHLY_PRICES, PREMIUM, PRO, sell_three, subscribe


@pytest.fixture
def plans(portal: Flask) -> dict[str, UUID]:
    return sell_three()


def on_basic(plans: dict[str, UUID], name: str = "Ayu", *, credit: int = 500_000) -> tuple[UUID, UUID]:
    """A customer whose app runs; returns customer and subscription."""
    customer_id = shop.open_customer(name)
    subscription_id = subscribe(plans[BASIC], customer_id, credit=credit)
    with transaction() as session:
        values = {"state": "RUNNING", "ready_at": clock.now(), "deadline_at": None}
        session.execute(sa.update(Instance).where(Instance.subscription_id == subscription_id).values(**values))
    return customer_id, subscription_id


def quote(customer_id: UUID, subscription_id: UUID, plan_id: UUID) -> UUID:
    with transaction() as session:
        return changing.quote(session, subscription_id, customer_id, plan_id, "MONTHLY", now=clock.now()).id


def press(customer_id: UUID, change_id: UUID) -> str:
    with transaction() as session:
        return changing.confirm(session, change_id, customer_id, now=clock.now()).status


def upgrades() -> int:
    return shop.count(SubscriptionCharge, SubscriptionCharge.kind == "UPGRADE")


@pytest.mark.usefixtures("clean_books")
def test_ten_presses_at_once_are_one_change(portal: Flask, plans: dict[str, UUID]) -> None:
    customer_id, subscription_id = on_basic(plans)
    change_id = quote(customer_id, subscription_id, plans[PRO])
    outcomes = all_at_once(portal, [partial(press, customer_id, change_id)] * 10)
    assert outcomes == ["RESIZING"] * 10
    assert (upgrades(), shop.slots_used(plans[PRO])) == (1, 1)
    assert shop.balance(customer_id) == 500_000 - 25_000 - 50_000


@pytest.mark.usefixtures("clean_books")
def test_quotes_pressed_in_two_windows_are_one_change(portal: Flask, plans: dict[str, UUID]) -> None:
    customer_id, subscription_id = on_basic(plans)
    deeds = [
        lambda: press(customer_id, quote(customer_id, subscription_id, plans[PRO])),
        lambda: press(customer_id, quote(customer_id, subscription_id, plans[PREMIUM])),
    ] * 4
    outcomes = all_at_once(portal, deeds)
    assert outcomes.count("RESIZING") >= 1
    assert upgrades() == shop.count(PlanChange, PlanChange.status == "RESIZING") == 1
    assert set(errors(outcomes)) <= {"CannotChangePlan", "QuoteExpired"}


@pytest.mark.usefixtures("clean_books")
def test_the_last_slot_goes_to_one_upgrade_and_costs_nobody_else(portal: Flask, plans: dict[str, UUID]) -> None:
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == plans[PRO]).values(slots_total=1))
        session.execute(sa.update(Plan).where(Plan.id == plans[BASIC]).values(slots_total=20))
    people = [on_basic(plans, f"Person {number}") for number in range(6)]
    quotes = [(customer_id, quote(customer_id, owned, plans[PRO])) for customer_id, owned in people]
    outcomes = all_at_once(portal, [partial(press, *one) for one in quotes])
    assert outcomes.count("RESIZING") == 1
    assert errors(outcomes) == ["QuotaExceeded"] * 5
    assert sorted(shop.balance(customer_id) for customer_id, _ in people) == [425_000] + [475_000] * 5


@pytest.mark.usefixtures("clean_books")
def test_an_upgrade_and_a_new_purchase_race_for_the_last_slot(portal: Flask, plans: dict[str, UUID]) -> None:
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == plans[PRO]).values(slots_total=1))
    upgrader, owned = on_basic(plans)
    newcomer = shop.open_customer("Budi")
    shop.give(newcomer, 100_000)
    change_id = quote(upgrader, owned, plans[PRO])
    buy = partial(shop.buy, newcomer, plans[PRO], price=MONTHLY_PRICES[PRO])
    outcomes = all_at_once(portal, [partial(press, upgrader, change_id), buy])
    assert errors(outcomes) == ["QuotaExceeded"]
    assert shop.slots_used(plans[PRO]) == 1


@pytest.mark.usefixtures("clean_books")
def test_the_credit_for_one_of_two_upgrades_pays_one(portal: Flask, plans: dict[str, UUID]) -> None:
    customer_id, owned = on_basic(plans, credit=25_000 + 50_000)
    change_id = quote(customer_id, owned, plans[PRO])
    spend = partial(shop.give, customer_id, -50_000)
    outcomes = all_at_once(portal, [partial(press, customer_id, change_id), spend])
    assert errors(outcomes) == ["InsufficientCredit"]
    assert shop.balance(customer_id) == 0


def cancel(customer_id: UUID, subscription_id: UUID) -> str:
    with transaction() as session:
        return actions.cancel_now(session, subscription_id, customer_id, now=clock.now()).status


def delete(subscription_id: UUID) -> bool:
    with transaction() as session:
        app_id = session.scalars(sa.select(Instance.id).where(Instance.subscription_id == subscription_id)).one()
        return actions.delete_instance(session, app_id, now=clock.now())


@pytest.mark.usefixtures("clean_books")
@pytest.mark.parametrize("ending", ["cancel", "delete"])
def test_an_upgrade_and_the_end_of_its_subscription_never_mix(
    portal: Flask, plans: dict[str, UUID], ending: str
) -> None:
    customer_id, owned = on_basic(plans)
    change_id = quote(customer_id, owned, plans[PRO])
    end: Callable[[], Any] = partial(cancel, customer_id, owned) if ending == "cancel" else partial(delete, owned)
    outcomes = all_at_once(portal, [partial(press, customer_id, change_id), end])
    status = db.session().scalars(sa.select(Subscription.status)).one()
    if "RESIZING" in outcomes:
        assert (status, errors(outcomes)) == ("ACTIVE", ["PlanChangeUnderWay"])
    else:
        assert (status, errors(outcomes)) == ("CANCELLED", ["CannotChangePlan"])
        assert upgrades() == 0


@pytest.mark.usefixtures("clean_books")
def test_the_end_of_a_change_recorded_by_ten_workers_is_recorded_once(portal: Flask, plans: dict[str, UUID]) -> None:
    customer_id, owned = on_basic(plans)
    change_id = quote(customer_id, owned, plans[PRO])
    press(customer_id, change_id)

    def done() -> bool:
        with transaction() as session:
            return changing.record_done(session, change_id, now=clock.now())

    def undone() -> bool:
        with transaction() as session:
            return changing.roll_back(session, change_id, code="no_capacity", now=clock.now())

    outcomes = all_at_once(portal, [done, undone] * 5)
    assert errors(outcomes) == []
    assert outcomes.count(True) == 1
    if db.session().scalars(sa.select(PlanChange.status)).one() == "ROLLING_BACK":

        def back() -> bool:
            with transaction() as session:
                return changing.record_back(session, change_id, {}, now=clock.now())

        assert all_at_once(portal, [back] * 5).count(True) == 1
        assert shop.balance(customer_id) == 475_000
