"""The customer's own way back from a suspension."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.catalog.errors import QuotaExceeded
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.instances.models import Instance
from portal.invoices.models import Document
from portal.subscriptions import actions
from portal.subscriptions.errors import CannotResume, PriceChanged, SubscriptionNotFound
from portal.subscriptions.models import RenewalAttempt, Subscription, SubscriptionCharge
from portal.wallet.errors import InsufficientCredit
from tests.books_audit import assert_books_are_clean
from tests.subscriptions.owned import apps, balance, cancel, fall_asleep, now_of, put, running, told
from tests.subscriptions.shop import credit, plan_of, sell_out, withdraw


@pytest.fixture(autouse=True)
def clean_books(shop: None) -> Iterator[None]:
    yield
    assert_books_are_clean()


def resume(person: Any, subscription_id: UUID, agreed: int | None = None) -> Subscription:
    with transaction() as session:
        total = None if agreed is None else rupiah(agreed)
        return actions.resume(session, subscription_id, person.customer_id, agreed=total, now=clock.now())


def spend_all(person: Any) -> None:
    credit(person.customer_id, -balance(person))


def columns(app: Instance) -> dict[str, Any]:
    """What the cluster is made from; the roll-out's own clock apart."""
    moving = {"state", "deadline_at", "failure_code", "failure_parameters"}
    return {c.key: getattr(app, c.key) for c in sa.inspect(Instance).columns if c.key not in moving}


def test_it_pays_a_new_period_from_today_and_comes_back_as_it_was(owner, n8n) -> None:
    before = columns(apps(n8n)[0])
    fall_asleep(n8n)
    clock.advance(timedelta(days=5))
    resume(owner, n8n, 25_000)
    subscription, [app] = now_of(n8n), apps(n8n)
    assert (subscription.status, subscription.holds_slot, subscription.auto_renew) == ("ACTIVE", True, True)
    assert (subscription.period_number, subscription.period_started_at) == (2, clock.now())
    assert subscription.anchor_day == 15
    assert balance(owner) == 350_000
    assert columns(app) == before
    assert told(owner) == ["subscription_resumed"]


def test_it_is_charged_once_with_its_invoice_and_its_attempt(owner, n8n) -> None:
    fall_asleep(n8n)
    for _ in range(3):
        resume(owner, n8n, 25_000)
    db.session.close()
    charges = db.session().scalars(sa.select(SubscriptionCharge).order_by(SubscriptionCharge.period_number)).all()
    assert [(one.kind, one.period_number, one.amount) for one in charges] == [
        ("FIRST", 1, 25_000),
        ("RESUMPTION", 2, 25_000),
    ]
    assert db.session().query(Document).filter_by(series="INVOICE").count() == 2
    assert [one.outcome for one in db.session().query(RenewalAttempt)] == ["PAID"]


def test_a_stopped_app_comes_back_stopped(owner, n8n) -> None:
    fall_asleep(n8n)
    with transaction() as session:
        session.execute(sa.update(Instance).values(wanted_before_suspension="STOPPED"))
    resume(owner, n8n)
    assert apps(n8n)[0].wanted == "STOPPED"


def test_too_little_credit_changes_nothing_and_names_what_is_missing(owner, n8n) -> None:
    fall_asleep(n8n)
    spend_all(owner)
    credit(owner.customer_id, 24_000)
    with pytest.raises(InsufficientCredit) as refusal:
        resume(owner, n8n, 25_000)
    assert refusal.value.shortfall == rupiah(1_000)
    assert (now_of(n8n).status, now_of(n8n).holds_slot, balance(owner)) == ("SUSPENDED", False, 24_000)


def test_without_a_free_slot_nothing_is_charged(owner, n8n) -> None:
    fall_asleep(n8n)
    sell_out(plan_of("n8n"))
    with pytest.raises(QuotaExceeded):
        resume(owner, n8n)
    assert (now_of(n8n).status, balance(owner)) == ("SUSPENDED", 375_000)
    with transaction() as session:
        session.execute(sa.update(Plan).values(slots_used=0))


def test_a_plan_that_is_no_longer_sold_takes_back_who_had_it(owner, n8n) -> None:
    fall_asleep(n8n)
    withdraw(plan_of("n8n"))
    resume(owner, n8n, 25_000)
    assert (now_of(n8n).status, now_of(n8n).holds_slot) == ("ACTIVE", True)


def test_a_price_that_changed_is_shown_before_it_is_charged(owner, n8n) -> None:
    fall_asleep(n8n)
    put(n8n, next_price=30_000, next_price_from=clock.now())
    with pytest.raises(PriceChanged):
        resume(owner, n8n, 25_000)
    resume(owner, n8n, 30_000)
    assert (now_of(n8n).price, now_of(n8n).next_price, balance(owner)) == (30_000, None, 345_000)


def test_after_a_trial_the_way_back_is_the_first_payment_with_its_setup_fee(owner) -> None:
    large = running(owner, "n8n", "ENTERPRISE")
    before = balance(owner)
    cancel(owner, large)  # the books of a trial hold no charge
    assert balance(owner) == before + 225_000
    with transaction() as session:
        subscription = session.get_one(Subscription, large)
        plan = session.get_one(Plan, subscription.plan_id)
        assert actions.first_fee(subscription, plan) == 0
        subscription.period_number = 0
        assert actions.first_fee(subscription, plan) == 100_000
        subscription.period_number = 1


def test_what_runs_stays_as_it_is_and_what_ended_stays_ended(owner, n8n) -> None:
    assert resume(owner, n8n).period_number == 1
    cancel(owner, n8n)
    with pytest.raises(CannotResume):
        resume(owner, n8n)


def test_a_stranger_resumes_nothing(owner, stranger, n8n) -> None:
    fall_asleep(n8n)
    with pytest.raises(SubscriptionNotFound):
        resume(stranger, n8n)
