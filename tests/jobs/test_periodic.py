"""Periodic work: one run per moment however many schedulers there are, and one failing run stops nothing."""

from __future__ import annotations

import importlib
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import payments as payment_jobs
from jobs import periodic
from jobs import subscriptions as subscription_jobs
from jobs.schedule import SCHEDULE
from portal.core import clock, job_runs, schedules
from portal.core.db import db, transaction
from portal.core.job_runs import JobRun
from portal.core.outbox import OutboxMessage
from portal.core.schedules import Periodic
from portal.instances.errors import UnknownApp
from portal.payments.models import Payment
from portal.subscriptions import intents
from portal.subscriptions.models import LaunchIntent
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.instances.world import PRICE


def runs(name: str = "outbox-sweep") -> list[JobRun]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(JobRun).where(JobRun.name == name).order_by(JobRun.scheduled_for)))


@pytest.mark.parametrize("entry", SCHEDULE, ids=lambda entry: entry.name)
def test_every_line_of_the_schedule_runs_and_says_how_it_ended(portal: Flask, entry: Periodic) -> None:
    assert "claimed" not in periodic.run(entry.name)
    assert [(run.error, run.ended_at) for run in runs(entry.name)] == [(None, clock.now())]


@pytest.mark.parametrize("entry", SCHEDULE, ids=lambda entry: entry.name)
def test_two_schedulers_start_one_run(portal: Flask, entry: Periodic) -> None:
    periodic.run(entry.name)
    clock.advance(timedelta(seconds=3))
    assert periodic.run(entry.name) == "claimed by another scheduler"
    clock.advance(schedules.next_moment(entry, clock.now()) - clock.now())
    assert "claimed" not in periodic.run(entry.name)
    assert len(runs(entry.name)) == 2


def test_a_failing_run_is_noted_and_its_next_moment_comes(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's module is broken, as after a bad release."""
    sweep = importlib.import_module("jobs.outbox")
    monkeypatch.delattr(sweep, "sweep")
    assert "AttributeError" in periodic.run("outbox-sweep")
    monkeypatch.undo()
    clock.advance(timedelta(seconds=15))
    assert periodic.run("outbox-sweep") == "0 messages"
    assert [bool(run.error) for run in runs()] == [True, False]


def test_counts_are_noted_while_it_runs_and_at_its_end(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def sweep() -> dict[str, int]:
        with transaction() as session:
            job_runs.progress(session, {"looked_at": 1})
        seen.extend(run.counts for run in runs())
        return {"looked_at": 2}

    monkeypatch.setattr(importlib.import_module("jobs.outbox"), "sweep", sweep)
    assert periodic.run("outbox-sweep") == "looked at 2"
    assert seen == [{"looked_at": 1}]
    assert [(run.result, run.counts) for run in runs()] == [("looked at 2", {"looked_at": 2})]


def test_every_queued_name_is_a_job(portal: Flask) -> None:
    from portal.core.outbox import resolve

    assert all(callable(resolve(entry.job)) for entry in SCHEDULE)


# --- looking after payments -----------------------------------------------------------------------------


def queued(job: str) -> list[str]:
    db.session.rollback()
    statement = sa.select(OutboxMessage).where(OutboxMessage.name == job, OutboxMessage.unique_key.is_not(None))
    return [message.arguments["payment_id"] for message in db.session().scalars(statement.order_by(OutboxMessage.id))]


def test_no_number_of_open_payments_keeps_one_from_being_looked_at(
    portal: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fit into one round here; the third is the first of the next."""
    monkeypatch.setattr(payment_jobs, "SYNC_BATCH", 2)
    orders = [Order(shop.open_customer()) for _ in range(3)]
    payment_jobs.sync()
    clock.advance(timedelta(minutes=30))
    payment_jobs.sync()
    assert set(queued("payments.check")) == {str(order.payment_id) for order in orders}


def test_a_round_started_twice_in_its_minute_looks_once(portal: Flask) -> None:
    Order(shop.open_customer())
    for _ in range(2):
        payment_jobs.sync()
    assert len(queued("payments.check")) == 1


def test_payments_past_their_time_are_each_ended_by_a_job_of_their_own(portal: Flask) -> None:
    Order(shop.open_customer())
    clock.advance(timedelta(hours=25))
    late = Order(shop.open_customer())
    assert payment_jobs.expire_due() == "1 payments"
    assert str(late.payment_id) not in queued("payments.expire")


def test_a_settled_payment_is_watched_for_a_day(portal: Flask) -> None:
    order = Order(shop.open_customer())
    order.hear("settlement")
    assert payment_jobs.sync() == "1 payments"
    clock.advance(timedelta(days=1, minutes=1))
    assert payment_jobs.sync() == "0 payments"
    assert db.session().scalars(sa.select(Payment.status)).all() == ["SETTLED"]


# --- pay and launch -------------------------------------------------------------------------------------


def test_a_wish_that_breaks_does_not_stop_the_one_behind_it(portal: Flask) -> None:
    """The first app's template is gone; the second one's is there, and there is credit for both."""
    customer, first = shop.open_customer(), shop.sell()
    second = shop.another_app()
    for plan in (first, second):
        with transaction() as session:
            intents.note_intent(session, customer, plan, "MONTHLY", now=clock.now())
        clock.advance(timedelta(seconds=1))
    shop.give(customer, 2 * PRICE)
    rename_service(first, "not-there-any-more")
    with pytest.raises(UnknownApp):
        subscription_jobs.use_credit(str(customer))
    db.session.rollback()
    states = {intent.plan_id: intent.status for intent in db.session().scalars(sa.select(LaunchIntent))}
    assert states == {first: "WAITING", second: "FULFILLED"}
    assert shop.balance(customer) == PRICE
    assert_books_are_clean()


def rename_service(plan_id: UUID, slug: str) -> None:
    from portal.catalog.models import Plan, Service

    with transaction() as session:
        service_id = session.get_one(Plan, plan_id).service_id
        session.get_one(Service, service_id).slug = slug
