"""What may be chosen in which state, exhaustively, and what ending now gives back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.money import rupiah
from portal.subscriptions.models import SubscriptionStatus, SuspendReason
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.refunds import Agreed, Paid, RefundRule, refund_due
from tests.subscriptions.lives import NOW, life

END = NOW + timedelta(days=20)
STATES: dict[str, dict[str, Any]] = {
    "TRIALING": {"status": "TRIALING", "period_number": 0},
    "ACTIVE": {"status": "ACTIVE"},
    "ACTIVE, cancelled": {"status": "ACTIVE", "cancel_requested_at": NOW},
    "TRIALING, cancelled": {"status": "TRIALING", "cancel_requested_at": NOW},
    "PAST_DUE": {"status": "PAST_DUE", "grace_ends_at": END},
    "SUSPENDED, unpaid": {"status": "SUSPENDED", "suspend_reason": SuspendReason.UNPAID},
    "SUSPENDED, not renewed": {"status": "SUSPENDED", "suspend_reason": SuspendReason.NOT_RENEWED, "auto_renew": False},
    "SUSPENDED, trial ended": {"status": "SUSPENDED", "suspend_reason": SuspendReason.TRIAL_ENDED},
    "CANCELLED": {"status": "CANCELLED", "ended_at": NOW, "due_at": None},
    "EXPIRED": {"status": "EXPIRED", "ended_at": NOW, "due_at": None},
    "PENDING_PAYMENT": {"status": "PENDING_PAYMENT"},
}
MAY: dict[str, set[str]] = {
    "TRIALING": {"cancel", "cancel now", "on", "off"},
    "ACTIVE": {"cancel", "cancel now", "on", "off"},
    "ACTIVE, cancelled": {"cancel", "undo", "cancel now"},
    "TRIALING, cancelled": {"cancel", "undo", "cancel now"},
    "PAST_DUE": {"cancel now"},
    "SUSPENDED, unpaid": {"cancel now", "off", "resume"},
    "SUSPENDED, not renewed": {"cancel now", "resume"},
    "SUSPENDED, trial ended": {"cancel now", "resume"},
    "CANCELLED": set(),
    "EXPIRED": set(),
    "PENDING_PAYMENT": {"cancel now"},
}


@pytest.mark.parametrize("state", STATES)
def test_every_choice_in_every_state(state: str) -> None:
    one = life(END, **STATES[state])
    allowed = {
        "cancel": choices.can_cancel(one),
        "undo": choices.can_undo(one),
        "cancel now": choices.can_cancel_now(one),
        "on": choices.can_switch_auto_renew(one, on=True),
        "off": choices.can_switch_auto_renew(one, on=False),
        "resume": choices.can_resume(one),
    }
    assert {choice for choice, may in allowed.items() if may} == MAY[state]


def test_every_state_is_in_the_table() -> None:
    assert {values["status"] for values in STATES.values()} == set(SubscriptionStatus)


BEGUN = NOW - timedelta(days=10)
MONTH = replace(life(END), period_started_at=BEGUN, period_ends_at=BEGUN + timedelta(days=30), price=30_000)


@pytest.mark.parametrize(
    ("day", "paid", "gives_back"),
    [
        (0, [Paid(30_000, 0, 0)], 30_000),
        (10, [Paid(30_000, 0, 0)], 20_000),
        (30, [Paid(30_000, 0, 0)], 0),
        (40, [Paid(30_000, 0, 0)], 0),  # overdue: the paid period is over
        (10, [Paid(130_000, 100_000, 0)], 20_000),  # a setup fee is not given back
        (0, [Paid(130_000, 100_000, 0)], 30_000),
        (10, [Paid(30_000, 0, 15_000)], 15_000),  # part of it was given back before
        (10, [Paid(30_000, 0, 30_000)], 0),
        (10, [], 0),  # a trial, or a free plan
        (10, [Paid(10_000, 0, 0)], 10_000),  # the price rose after the charge: never more than was paid
        (10, [Paid(10_000, 0, 0), Paid(20_000, 0, 0)], 20_000),  # an upgrade on top
    ],
)
def test_ending_now_gives_back_the_unused_share(day: int, paid: list[Paid], gives_back: int) -> None:
    now = BEGUN + timedelta(days=day)
    assert refund_due(MONTH, paid, rule=RefundRule.PRO_RATA, now=now) == gives_back
    assert refund_due(MONTH, paid, rule=RefundRule.NONE, now=now) == 0


charges = st.lists(
    st.tuples(st.integers(0, 500_000), st.integers(0, 100_000)).map(lambda pair: Paid(sum(pair), pair[1], 0)),
    max_size=4,
)


@given(paid=charges, price=st.integers(0, 500_000), minutes=st.integers(-100, 60_000))
def test_a_refund_is_never_negative_never_more_than_paid_and_never_grows_with_time(
    paid: list[Paid], price: int, minutes: int
) -> None:
    month, now = replace(MONTH, price=price), BEGUN + timedelta(minutes=minutes)
    due = refund_due(month, paid, rule=RefundRule.PRO_RATA, now=now)
    later = refund_due(month, paid, rule=RefundRule.PRO_RATA, now=now + timedelta(hours=1))
    assert 0 <= later <= due <= min(price, sum(one.amount for one in paid))


@given(paid=charges, minutes=st.integers(0, 43_200), parts=st.lists(st.integers(1, 1_000), max_size=3))
def test_what_was_given_back_is_not_given_back_again(paid: list[Paid], minutes: int, parts: list[int]) -> None:
    now, given_back = BEGUN + timedelta(minutes=minutes), 0
    for part in [*parts, 10**9]:
        due = refund_due(MONTH, paid, rule=RefundRule.PRO_RATA, now=now)
        given_back += min(part, due)
        paid = _after(paid, min(part, due))
    assert given_back <= sum(one.amount - one.setup_fee for one in paid)


def _after(paid: list[Paid], amount: int) -> list[Paid]:
    rest, after = amount, []
    for one in reversed(paid):
        part = min(rest, one.amount - one.refunded)
        after.append(replace(one, refunded=one.refunded + part))
        rest -= part
    return after[::-1]


@pytest.mark.parametrize(
    ("age_minutes", "stands"), [(-1, False), (0, True), (1, True), (15, True), (16, False), (10_000, False)]
)
def test_a_quote_stands_for_a_while_and_never_comes_from_the_future(age_minutes: int, stands: bool) -> None:
    agreed = Agreed(rupiah(1), NOW - timedelta(minutes=age_minutes))
    assert agreed.still_stands(now=NOW, for_at_most=timedelta(minutes=15)) == stands
