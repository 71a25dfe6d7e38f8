"""Reminders: seven days and one day before, with the forecast that the coming renewals themselves follow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask_babel import force_locale

from jobs import subscriptions as jobs
from portal.catalog import actions as catalog
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.notices import wording
from portal.notices.wording import WORDINGS
from portal.subscriptions.actions import reminding
from portal.subscriptions.models import Subscription
from portal.subscriptions.rules.life import Step, next_reminder
from tests.books_audit import assert_books_are_clean
from tests.personas import Person
from tests.subscriptions.course import (
    attempts,
    balance,
    change,
    charges,
    mailed,
    now_of,
    pass_days,
    pass_time,
    told,
)
from tests.subscriptions.shop import buy, credit, plan_of

N8N = 25_000

pytestmark = pytest.mark.usefixtures("shop", "clean_books")


@pytest.fixture
def clean_books(portal):
    yield
    assert_books_are_clean()


@pytest.fixture
def n8n(shop, ayu: Person) -> Subscription:
    return subscribed(ayu)


def subscribed(person: Person, slug: str = "n8n") -> Subscription:
    credit(person.customer_id, 100_000)
    subscription = buy(person.customer_id, plan_of(slug))
    db.session.close()
    credit(person.customer_id, -balance(person.customer_id))
    return subscription


def said(code: str) -> wording.Said:
    notice = told(code)[-1]
    with force_locale("en"):
        return wording.word(notice.code, notice.parameters)


def test_a_renewal_is_announced_seven_days_and_one_day_before_and_no_oftener(n8n, ayu) -> None:
    credit(ayu.customer_id, N8N)
    days = {}
    for day in range(1, 32):
        pass_time(hours=23, minutes=59)
        for _ in range(2):
            counts = jobs.remind_due()
            if counts:
                days[31 - day] = counts
        pass_time(minutes=1)
    assert days == {6: {"renewal_soon": 1}, 0: {"renewal_soon": 1}}
    assert (len(told("renewal_soon")), mailed("renewal_soon")) == (2, 2)
    assert "Your credit covers it" in said("renewal_soon").body


def test_too_little_credit_is_told_with_what_is_missing_and_a_top_up_over_it(n8n, ayu) -> None:
    credit(ayu.customer_id, 8_000)
    pass_time(days=24)
    assert jobs.remind_due() == {"renewal_soon_short": 1}
    words = said("renewal_soon_short")
    assert words.title == "Rp17.000 is missing before n8n renews"
    assert words.path == "/top-ups/new?amount=17000"


def test_what_is_missing_counts_everything_that_renews_before(shop, ayu) -> None:
    """The forecast is the one that the renewals follow: credit for one app is no credit for both."""
    subscribed(ayu)
    pass_time(hours=1)
    subscribed(ayu, "ghost")
    credit(ayu.customer_id, N8N)
    pass_time(days=25)
    assert jobs.remind_due() == {"renewal_soon": 1, "renewal_soon_short": 1}


def test_a_small_gap_asks_for_the_smallest_top_up(n8n, ayu) -> None:
    credit(ayu.customer_id, N8N - 1)
    pass_time(days=24)
    jobs.remind_due()
    assert said("renewal_soon_short").path == "/top-ups/new?amount=10000"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"auto_renew": False}, "period_ends_soon"), ({"cancel_requested_at": clock.now()}, "cancellation_soon")],
)
def test_what_stops_or_ends_is_announced_as_such(n8n, changes, code) -> None:
    change(n8n.id, **changes)
    pass_time(days=24)
    assert jobs.remind_due() == {code: 1}


def test_a_free_app_is_no_news(shop, ayu) -> None:
    buy(ayu.customer_id, plan_of("memos", "FREE"))
    db.session.close()
    pass_time(days=24)
    assert jobs.remind_due() == {"nothing_to_say": 1}
    assert told("renewal_soon") == []


def test_who_missed_the_first_reminder_gets_one_not_two(n8n) -> None:
    pass_time(days=30, hours=12)
    assert [jobs.remind_due() for _ in range(2)] == [{"renewal_soon_short": 1}, {}]


def test_a_reminder_that_comes_after_the_end_is_not_sent(n8n) -> None:
    pass_time(days=40)
    assert jobs.remind_due() == {"nothing_to_say": 1}


def test_one_reminder_that_fails_stops_no_other(n8n, ayu, budi, monkeypatch) -> None:
    subscribed(budi)
    real = reminding._reminder

    def fails_for_ayu(subscription, *arguments):
        assert subscription.customer_id != ayu.customer_id
        return real(subscription, *arguments)

    monkeypatch.setattr(reminding, "_reminder", fails_for_ayu)
    pass_time(days=24)
    assert jobs.remind_due() == {"failed": 1, "renewal_soon_short": 1}
    monkeypatch.undo()
    pass_time(hours=1)
    assert jobs.remind_due() == {"renewal_soon_short": 1}


# --- trials ---------------------------------------------------------------------------------------------


@pytest.fixture
def trial(shop, ayu: Person) -> Subscription:
    """A trial of n8n for 14 days, with no app behind it: money and messages alone are looked at."""
    plan_id, ends_at = plan_of("n8n"), clock.now() + timedelta(days=14)
    with transaction() as session:
        catalog.take_slot(session, plan_id)
        plan = session.get_one(catalog.Plan, plan_id)
        subscription = Subscription(
            id=new_id(), customer_id=ayu.customer_id, service_id=plan.service_id, plan_id=plan_id, status="TRIALING",
            price=N8N, anchor_day=10, started_at=clock.now(), period_number=0, period_started_at=clock.now(),
            period_ends_at=ends_at, due_at=ends_at, remind_at=next_reminder(ends_at, now=clock.now()),
            idempotency_key="trial", created_at=clock.now(),
        )  # fmt: skip
        session.add(subscription)
    db.session.close()
    return subscription


def setup_fee() -> int:
    return db.session().get_one(catalog.Plan, plan_of("n8n")).setup_fee


def test_a_trial_is_announced_before_it_ends_and_goes_on_from_credit_with_the_setup_fee(trial, ayu) -> None:
    price = N8N + setup_fee()
    credit(ayu.customer_id, price)
    pass_days(14, reminders=True)
    after = now_of(trial.id)
    assert (after.status, after.period_number, balance(ayu.customer_id)) == ("ACTIVE", 1, 0)
    assert after.period_started_at == trial.period_ends_at
    assert (charges(trial.id), attempts(trial.id)) == ([(1, "FIRST", price)], [("PAID", 0)])
    assert [len(told(code)) for code in ("trial_ends_soon", "trial_converted")] == [2, 1]


def test_a_trial_without_credit_is_suspended_at_its_end_and_nothing_is_owed(trial, ayu) -> None:
    pass_days(14, reminders=True)
    after = now_of(trial.id)
    assert (after.status, after.suspend_reason, charges(trial.id)) == ("SUSPENDED", "TRIAL_ENDED", [])
    missing = N8N + setup_fee()
    assert attempts(trial.id) == [("SHORT", missing)]
    assert [len(told(code)) for code in ("trial_ends_soon_short", "suspended_trial_ended")] == [2, 1]
    assert told("trial_ends_soon_short")[0].parameters["missing"] == missing


# --- words ----------------------------------------------------------------------------------------------


def test_every_step_and_every_reason_has_words() -> None:
    codes = {*reminding.PAID_CODES.values(), *reminding.SUSPENDED_CODES.values(), "renewal_short", "credit_still_short"}
    assert codes <= WORDINGS.keys()
    assert reminding.TELLINGS.keys() == set(Step) - {Step.RESUMED}, "a resumption tells of itself"
