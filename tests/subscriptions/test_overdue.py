"""Overdue invoices at nine: everybody in grace has been reminded today, once, by this or by the day's retry."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask

from jobs import reports
from jobs import subscriptions as renewals
from portal.core import clock
from portal.subscriptions.actions import overdue
from portal.subscriptions.models import Subscription
from tests.personas import Person
from tests.subscriptions.course import change, go_to, mailed, now_of, told
from tests.subscriptions.shop import buy, plan_of
from tests.subscriptions.test_renewals import N8N, subscribed

pytestmark = pytest.mark.usefixtures("shop")
NOTHING = {"overdue": 0, "overdue_sum": 0, "reminded": 0}


@pytest.fixture
def unpaid(shop: None, ayu: Person) -> Subscription:
    """Ayu's n8n on the day it fell due, at noon: she was told so."""
    subscription = subscribed(ayu)
    go_to(subscription.period_ends_at)
    assert renewals.renew_due() == {"fell_due": 1}
    return subscription


def nine(days: int) -> datetime:
    """Nine in the morning, so many days after today."""
    return clock.now().astimezone(clock.JAKARTA).replace(hour=9, minute=0) + timedelta(days=days)


def test_nobody_in_grace_is_nobody_to_remind(portal: Flask) -> None:
    assert reports.remind_overdue() == NOTHING


def test_whoever_was_told_today_that_it_fell_due_is_not_reminded_as_well(unpaid) -> None:
    assert reports.remind_overdue() == {"overdue": 1, "overdue_sum": N8N, "reminded": 0}


def test_the_mornings_reminder_and_the_retrys_are_one(unpaid) -> None:
    go_to(nine(1))
    assert reports.remind_overdue()["reminded"] == 1
    assert reports.remind_overdue()["reminded"] == 0
    go_to(now_of(unpaid.id).due_at)
    assert renewals.renew_due() == {"still_due": 1}
    assert (len(told("renewal_still_short")), mailed("renewal_still_short")) == (1, 1)


def test_a_retry_before_nine_told_it_already(unpaid) -> None:
    change(unpaid.id, due_at=nine(1) - timedelta(hours=2))
    go_to(nine(1) - timedelta(hours=2))
    renewals.renew_due()
    go_to(nine(0))
    assert reports.remind_overdue()["reminded"] == 0
    assert len(told("renewal_still_short")) == 1


def test_the_words_are_those_of_the_retry(unpaid) -> None:
    go_to(nine(1))
    reports.remind_overdue()
    [by_morning] = told("renewal_still_short")
    go_to(now_of(unpaid.id).due_at + timedelta(days=1))
    renewals.renew_due()
    by_retry = told("renewal_still_short")[-1]
    assert by_morning.parameters == by_retry.parameters
    assert by_morning.unique_key != by_retry.unique_key


def test_credit_that_is_about_to_pay_it_needs_no_reminder(unpaid, ayu) -> None:
    from tests.subscriptions.shop import credit

    credit(ayu.customer_id, N8N)
    go_to(nine(1))
    assert reports.remind_overdue() == {"overdue": 1, "overdue_sum": N8N, "reminded": 0}


def test_a_round_cut_off_in_the_middle_reminds_the_rest_when_it_comes_again(
    unpaid, ayu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "BATCH", 1)
    other = buy(ayu.customer_id, plan_of("memos", "FREE"))
    change(other.id, status="PAST_DUE", price=9_000, grace_ends_at=clock.now() + timedelta(days=7))
    go_to(nine(1))
    from portal.core.db import transaction

    with transaction() as session:
        assert overdue.remind(session, None, now=clock.now()).counts["reminded"] == 1  # and killed here
    assert reports.remind_overdue() == {"overdue": 2, "overdue_sum": N8N + 9_000, "reminded": 1}
