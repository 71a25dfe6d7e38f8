"""Credit that falls short: grace, suspension, the last warning, the end; and any credit that arrives in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask_babel import force_locale

from jobs import subscriptions as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices import wording
from portal.subscriptions import actions
from portal.subscriptions.actions import renewing
from portal.subscriptions.models import Subscription, WaitlistEntry
from tests.books.shop import slots_used
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.personas import Person
from tests.subscriptions.course import (
    app_of,
    attempts,
    balance,
    change,
    charges,
    come_up,
    mailed,
    now_of,
    pass_days,
    pass_time,
    told,
)
from tests.subscriptions.shop import buy, credit, plan_of, sell_out

N8N = 25_000
OTHER_WORK = ("instances.provision", "instances.check", "instances.clean_up", "invoices.render", "notices.deliver")

pytestmark = pytest.mark.usefixtures("shop", "clean_books")


@pytest.fixture
def clean_books(portal):
    yield
    assert_books_are_clean()


@pytest.fixture
def n8n(shop, ayu: Person) -> Subscription:
    """Ayu's running n8n, its period over, and nothing in her wallet."""
    return overdue(ayu)


def overdue(person: Person, slug: str = "n8n") -> Subscription:
    credit(person.customer_id, 100_000)
    subscription = buy(person.customer_id, plan_of(slug))
    db.session.close()
    come_up(subscription.id)
    credit(person.customer_id, -balance(person.customer_id))
    pass_time(days=31)
    jobs.renew_due()
    return subscription


def suspended(person: Person) -> Subscription:
    subscription = overdue(person)
    pass_days(7)
    return subscription


def credit_arrives(person: Person, amount: int) -> None:
    """As any credit does: with its event, and the jobs that follow."""
    credit(person.customer_id, amount)
    run_due_work(without=OTHER_WORK)


def test_grace_begins_with_the_app_running_and_a_notice_of_what_is_missing(n8n) -> None:
    after = now_of(n8n.id)
    assert (after.status, after.holds_slot, after.grace_ends_at) == (
        "PAST_DUE", True, clock.now() + timedelta(days=7),
    )  # fmt: skip
    assert (app_of(n8n.id).wanted, attempts(n8n.id)) == ("RUNNING", [("SHORT", N8N)])
    with force_locale("en"):
        notice = told("renewal_short")[0]
        said = wording.word(notice.code, notice.parameters)
    assert said.title == "Rp25.000 is missing to renew n8n"
    assert said.path == "/top-ups/new?amount=25000"


def test_each_day_of_grace_has_one_try_and_one_reminder(n8n) -> None:
    for _ in range(6 * 24):
        pass_time(hours=1)
        jobs.renew_due()
    assert attempts(n8n.id) == [("SHORT", N8N)] * 7
    assert [len(told(code)) for code in ("renewal_short", "renewal_still_short")] == [1, 6]
    assert [mailed(code) for code in ("renewal_short", "renewal_still_short")] == [1, 6]


def test_after_grace_it_is_suspended_its_slot_free_and_its_data_kept(n8n) -> None:
    pass_days(7)
    after = now_of(n8n.id)
    assert (after.status, after.suspend_reason, after.holds_slot) == ("SUSPENDED", "UNPAID", False)
    assert after.data_kept_until == clock.now() + timedelta(days=30)
    assert (slots_used(n8n.plan_id), app_of(n8n.id).wanted, len(told("suspended_unpaid"))) == (0, "SUSPENDED", 1)
    assert attempts(n8n.id)[-1] == ("SHORT", N8N)


def test_data_goes_after_a_last_warning_and_nobody_is_charged(n8n) -> None:
    pass_days(7 + 26)
    assert told("data_goes_soon") == []
    pass_days(1)
    assert len(told("data_goes_soon")) == 1
    pass_days(2)
    assert app_of(n8n.id).fenced_at is None
    pass_days(1)
    after = now_of(n8n.id)
    assert (after.status, after.end_reason, after.due_at) == ("EXPIRED", "not_resumed", None)
    assert (app_of(n8n.id).wanted, len(told("subscription_expired")), len(charges(n8n.id))) == ("ABSENT", 1, 1)


def test_a_run_that_slept_for_months_still_warns_in_time(n8n) -> None:
    pass_time(days=200)
    assert jobs.renew_due() == {"suspended": 1}
    pass_time(days=200)
    assert jobs.renew_due() == {"warned": 1}
    assert jobs.renew_due() == {}
    pass_time(days=3)
    assert jobs.renew_due() == {"ended": 1}


def test_paid_in_grace_the_period_begins_where_the_last_one_ended(n8n, ayu) -> None:
    pass_days(3)
    credit_arrives(ayu, N8N + 1_000)
    after = now_of(n8n.id)
    assert (after.status, after.period_started_at, after.grace_ends_at) == ("ACTIVE", n8n.period_ends_at, None)
    assert (balance(ayu.customer_id), charges(n8n.id)[-1]) == (1_000, (2, "RENEWAL", N8N))
    assert attempts(n8n.id)[-1] == ("PAID", 0)


def test_a_smaller_credit_changes_nothing_and_says_what_is_missing(n8n, ayu) -> None:
    credit_arrives(ayu, 10_000)
    assert (now_of(n8n.id).status, balance(ayu.customer_id)) == ("PAST_DUE", 10_000)
    assert [notice.parameters["missing"] for notice in told("credit_still_short")] == [15_000]
    credit_arrives(ayu, 5_000)
    assert [notice.parameters["missing"] for notice in told("credit_still_short")] == [15_000, 10_000]
    credit_arrives(ayu, 10_000)
    assert (now_of(n8n.id).status, balance(ayu.customer_id)) == ("ACTIVE", 0)


def test_any_credit_that_covers_it_resumes_what_was_suspended(shop, ayu) -> None:
    subscription = suspended(ayu)
    before = app_of(subscription.id)
    pass_time(days=5)
    credit_arrives(ayu, N8N)
    after, app = now_of(subscription.id), app_of(subscription.id)
    assert (after.status, after.period_started_at, after.holds_slot) == ("ACTIVE", clock.now(), True)
    assert charges(subscription.id)[-1] == (2, "RESUMPTION", N8N)
    assert (app.wanted, app.restarted_at, balance(ayu.customer_id)) == ("RUNNING", before.restarted_at, 0)
    assert (slots_used(subscription.plan_id), len(told("subscription_resumed"))) == (1, 1)


def test_an_app_the_customer_had_stopped_comes_back_stopped(shop, ayu) -> None:
    subscription = overdue(ayu)
    from portal.instances import actions as instances

    with transaction() as session:
        instances.stop(session, app_of(subscription.id).id, now=clock.now())
    pass_days(7)
    credit_arrives(ayu, N8N)
    assert app_of(subscription.id).wanted == "STOPPED"


@pytest.mark.parametrize("changes", [{"suspend_reason": "NOT_RENEWED"}, {"suspend_reason": "TRIAL_ENDED"},
                                     {"auto_renew": False}])  # fmt: skip
def test_what_was_not_suspended_for_want_of_credit_waits_for_the_customers_word(shop, ayu, changes) -> None:
    subscription = suspended(ayu)
    change(subscription.id, **changes)
    credit_arrives(ayu, 100_000)
    assert (now_of(subscription.id).status, balance(ayu.customer_id)) == ("SUSPENDED", 100_000)


def test_without_a_free_slot_it_waits_for_one_before_all_who_are_new_and_keeps_its_credit(shop, ayu) -> None:
    subscription = suspended(ayu)
    sell_out(subscription.plan_id)
    credit(ayu.customer_id, N8N)
    with transaction() as session:
        assert renewing.use_credit(session, ayu.customer_id, now=clock.now()) == []
    assert (now_of(subscription.id).status, balance(ayu.customer_id)) == ("SUSPENDED", N8N)
    assert attempts(subscription.id)[-1] == ("NO_SLOT", 0)
    assert [entry.resumes_id for entry in db.session().query(WaitlistEntry)] == [subscription.id]
    with transaction() as session:  # the strangers leave, or the books would miss them
        from portal.catalog.models import Plan

        session.get_one(Plan, subscription.plan_id).slots_used = 0


def test_credit_for_one_pays_the_oldest_debt_and_then_what_still_can_be_paid(shop, ayu) -> None:
    first = overdue(ayu)
    pass_time(hours=3)
    second = overdue(ayu, "ghost")
    change(first.id, price=60_000)
    credit_arrives(ayu, 59_000)
    assert [now_of(one.id).status for one in (first, second)] == ["SUSPENDED", "ACTIVE"]


def test_two_debts_are_paid_oldest_first(shop, ayu) -> None:
    credit(ayu.customer_id, 200_000)
    bought = [buy(ayu.customer_id, plan_of(slug)).id for slug in ("n8n", "ghost")]
    owed = sum(now_of(each).price for each in bought)
    credit(ayu.customer_id, -balance(ayu.customer_id))
    pass_time(days=31)
    jobs.renew_due()
    credit_arrives(ayu, owed - 1)
    assert [now_of(each).status for each in bought] == ["ACTIVE", "PAST_DUE"]


def test_a_cancellation_takes_effect_at_the_periods_end(shop, ayu) -> None:
    credit(ayu.customer_id, 100_000)
    subscription = buy(ayu.customer_id, plan_of("n8n"))
    db.session.close()
    come_up(subscription.id)
    change(subscription.id, cancel_requested_at=clock.now())
    left = balance(ayu.customer_id)
    pass_days(31)
    after = now_of(subscription.id)
    assert (after.status, after.end_reason, balance(ayu.customer_id)) == ("CANCELLED", "cancelled", left)
    assert (app_of(subscription.id).wanted, after.holds_slot, len(told("subscription_ended"))) == ("ABSENT", True, 1)
    with transaction() as session:
        actions.confirm_clean_up(session, app_of(subscription.id).id, now=clock.now())
    assert slots_used(subscription.plan_id) == 0


def test_without_renewal_it_is_suspended_at_the_periods_end_though_there_is_credit(shop, ayu) -> None:
    credit(ayu.customer_id, 100_000)
    subscription = buy(ayu.customer_id, plan_of("n8n"))
    db.session.close()
    change(subscription.id, auto_renew=False)
    left = balance(ayu.customer_id)
    pass_days(31)
    assert (now_of(subscription.id).suspend_reason, balance(ayu.customer_id)) == ("NOT_RENEWED", left)
    assert (attempts(subscription.id), len(told("suspended_not_renewed"))) == ([], 1)


def test_an_end_with_nothing_left_to_clean_frees_its_slot_at_once(shop, ayu) -> None:
    credit(ayu.customer_id, 100_000)
    subscription = buy(ayu.customer_id, plan_of("n8n"))
    db.session.close()
    with transaction() as session:
        app = session.get_one(type(app_of(subscription.id)), app_of(subscription.id).id)
        app.wanted, app.fenced_at, app.cleaned_up_at = "ABSENT", clock.now(), clock.now()
    change(subscription.id, cancel_requested_at=clock.now())
    pass_days(31)
    assert (now_of(subscription.id).holds_slot, slots_used(subscription.plan_id)) == (False, 0)
