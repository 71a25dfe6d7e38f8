"""The life of a subscription as tables: every state at every moment, every forbidden move, anchors and grace."""

from __future__ import annotations

import calendar
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from portal.core.clock import JAKARTA, today
from portal.subscriptions.models import EndReason, SubscriptionStatus
from portal.subscriptions.rules import period_end
from portal.subscriptions.rules.life import (
    Step,
    Terms,
    advance,
    amount_due,
    ended,
    is_due,
    may_resume_by_itself,
    next_reminder,
    resumed,
    try_to_pay,
)
from tests.subscriptions.lives import NOW, TERMS, life

PRICE = 25_000
DAY = timedelta(days=1)


def at(status: str, **changes):
    """A life in that status, as the rules themselves would have left it, due now."""
    own = {
        "TRIALING": {"period_number": 0},
        "ACTIVE": {},
        "PAST_DUE": {"grace_ends_at": NOW + 3 * DAY, "due_at": NOW},
        "SUSPENDED": {"suspended_at": NOW - 27 * DAY, "suspend_reason": "UNPAID", "data_kept_until": NOW + 3 * DAY,
                      "due_at": NOW, "holds_slot": False},
        "CANCELLED": {"ended_at": NOW, "due_at": None, "end_reason": "cancelled"},
        "EXPIRED": {"ended_at": NOW, "due_at": None, "end_reason": "not_resumed", "holds_slot": False},
    }  # fmt: skip
    return life(NOW, **{"status": status, **own[status], **changes})


WARNED = {"warned_at": NOW - 3 * DAY, "data_kept_until": NOW}
LAST_DAY = {"grace_ends_at": NOW}
CANCELLED = {"cancel_requested_at": NOW - DAY}
OFF = {"auto_renew": False}

# status      what is so       balance   step         becomes      charge  missing
STEPS = [
    ("TRIALING", {}, PRICE, "CONVERTED", "ACTIVE", PRICE, 0),
    ("TRIALING", {}, PRICE - 1, "SUSPENDED", "SUSPENDED", 0, 1),
    ("TRIALING", OFF, PRICE, "SUSPENDED", "SUSPENDED", 0, 0),
    ("TRIALING", CANCELLED, PRICE, "ENDED", "CANCELLED", 0, 0),
    ("ACTIVE", {}, PRICE, "RENEWED", "ACTIVE", PRICE, 0),
    ("ACTIVE", {}, PRICE - 1, "FELL_DUE", "PAST_DUE", 0, 1),
    ("ACTIVE", {"price": 0}, 0, "RENEWED", "ACTIVE", 0, 0),
    ("ACTIVE", OFF, PRICE, "SUSPENDED", "SUSPENDED", 0, 0),
    ("ACTIVE", CANCELLED, PRICE, "ENDED", "CANCELLED", 0, 0),
    ("ACTIVE", CANCELLED | OFF, PRICE, "ENDED", "CANCELLED", 0, 0),
    ("PAST_DUE", {}, PRICE, "RENEWED", "ACTIVE", PRICE, 0),
    ("PAST_DUE", {}, 0, "STILL_DUE", "PAST_DUE", 0, PRICE),
    ("PAST_DUE", LAST_DAY, PRICE, "RENEWED", "ACTIVE", PRICE, 0),
    ("PAST_DUE", LAST_DAY, 0, "SUSPENDED", "SUSPENDED", 0, PRICE),
    ("PAST_DUE", OFF, PRICE, "SUSPENDED", "SUSPENDED", 0, 0),
    ("PAST_DUE", CANCELLED, PRICE, "ENDED", "CANCELLED", 0, 0),
    ("SUSPENDED", {}, PRICE, "WARNED", "SUSPENDED", 0, 0),
    ("SUSPENDED", WARNED, PRICE, "ENDED", "EXPIRED", 0, 0),
    ("SUSPENDED", OFF, PRICE, "WARNED", "SUSPENDED", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("status", "changes", "balance", "step", "becomes", "charge", "missing"), STEPS)
def test_every_step_that_time_takes(status, changes, balance, step, becomes, charge, missing) -> None:
    turn = advance(at(status, **changes), balance=balance, now=NOW, terms=TERMS)
    assert (turn.step, turn.life.status, turn.charge, turn.missing) == (step, becomes, charge, missing)


MOVES = {
    "TRIALING": {"ACTIVE", "SUSPENDED", "CANCELLED"},
    "ACTIVE": {"ACTIVE", "PAST_DUE", "SUSPENDED", "CANCELLED"},
    "PAST_DUE": {"ACTIVE", "PAST_DUE", "SUSPENDED", "CANCELLED"},
    "SUSPENDED": {"SUSPENDED", "EXPIRED"},
    "CANCELLED": set(),
    "EXPIRED": set(),
}
"""Where time may lead; a customer's word adds the way back from SUSPENDED, and the end from every live state."""
FLAGS = [{}, OFF, CANCELLED, OFF | CANCELLED]
OF_STATUS = {"PAST_DUE": [{}, LAST_DAY], "SUSPENDED": [{}, WARNED]}
EVERY_LIFE = [(status, flags | own) for status, flags in product(MOVES, FLAGS) for own in OF_STATUS.get(status, [{}])]


def test_the_table_knows_every_state_that_time_can_meet() -> None:
    assert MOVES.keys() == set(SubscriptionStatus) - {"PENDING_PAYMENT"}
    assert {(status, becomes) for status, _, _, _, becomes, _, _ in STEPS} == {
        (status, to) for status, ends in MOVES.items() for to in ends
    }


@pytest.mark.parametrize(("status", "flags"), EVERY_LIFE)
@pytest.mark.parametrize("balance", [0, PRICE, 10 * PRICE])
@pytest.mark.parametrize("grace", [0, 7])
def test_no_forbidden_move_whatever_is_so(status, flags, balance, grace) -> None:
    before, terms = at(status, **flags), replace(TERMS, grace=grace * DAY)
    if not MOVES[status]:
        with pytest.raises(AssertionError):
            advance(before, balance=balance, now=NOW, terms=terms)
        return
    turn = advance(before, balance=balance, now=NOW, terms=terms)
    assert turn.life.status in MOVES[status]
    assert 0 <= turn.charge <= balance
    assert_sound(turn.life)


def assert_sound(after) -> None:
    """What the table's own constraints say."""
    over = after.status in ("CANCELLED", "EXPIRED")
    assert (after.ended_at is not None) == over == (after.due_at is None)
    assert (after.grace_ends_at is not None) == (after.status == "PAST_DUE")
    assert after.holds_slot or after.status not in ("TRIALING", "ACTIVE", "PAST_DUE")
    assert not after.holds_slot or after.status != "SUSPENDED"
    assert after.data_kept_until is not None or after.status != "SUSPENDED"


@pytest.mark.parametrize("status", MOVES)
def test_only_what_is_suspended_is_resumed(status) -> None:
    if status != "SUSPENDED":
        with pytest.raises(AssertionError):
            resumed(at(status), now=NOW)
        return
    after = resumed(at(status, auto_renew=False), now=NOW).life
    assert (after.status, after.period_started_at, after.anchor_day) == ("ACTIVE", NOW, today(NOW).day)
    assert (after.auto_renew, after.data_kept_until, after.suspend_reason, after.warned_at) == (True, None, None, None)
    assert_sound(after)


@pytest.mark.parametrize("status", MOVES)
@pytest.mark.parametrize("reason", EndReason)
def test_what_has_ended_does_not_end_again(status, reason) -> None:
    if not MOVES[status]:
        with pytest.raises(AssertionError):
            ended(at(status), reason, now=NOW)
        return
    after = ended(at(status), reason, now=NOW).life
    assert after.status == ("EXPIRED" if reason == "not_resumed" else "CANCELLED")
    assert_sound(after)


# status      what is so                          balance    what a credit settles
CREDITS = [
    ("TRIALING", {}, PRICE, None),
    ("ACTIVE", {}, PRICE, None),
    ("PAST_DUE", {}, PRICE, "RENEWED"),
    ("PAST_DUE", {}, PRICE - 1, None),
    ("PAST_DUE", OFF, PRICE, None),
    ("PAST_DUE", CANCELLED, PRICE, None),
    ("SUSPENDED", {}, PRICE, "RESUMED"),
    ("SUSPENDED", {}, PRICE - 1, None),
    ("SUSPENDED", OFF, PRICE, None),
    ("SUSPENDED", CANCELLED, PRICE, None),
    ("SUSPENDED", {"suspend_reason": "NOT_RENEWED"}, PRICE, None),
    ("SUSPENDED", {"suspend_reason": "TRIAL_ENDED"}, PRICE, None),
    ("CANCELLED", {}, PRICE, None),
    ("EXPIRED", {}, PRICE, None),
]


@pytest.mark.parametrize(("status", "changes", "balance", "step"), CREDITS)
def test_what_a_credit_settles(status, changes, balance, step) -> None:
    before = at(status, **changes)
    turn = try_to_pay(before, balance=balance, now=NOW)
    assert (turn.step if turn else None) == step
    assert may_resume_by_itself(before) == (status == "SUSPENDED" and not changes)


# --- anchors --------------------------------------------------------------------------------------------

DAYS = [date(2027, 1, day) for day in range(1, 32)] + [date(2028, 2, 29), date(2027, 2, 28), date(2027, 4, 30)]


def begins_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 30, tzinfo=JAKARTA).astimezone(UTC)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_over_48_months_every_renewal_keeps_its_day_or_the_months_last(day) -> None:
    state = life(begins_at(day), anchor_day=day.day)
    for months in range(1, 49):
        state = advance(state, balance=PRICE, now=state.period_ends_at, terms=TERMS).life
        local = state.period_ends_at.astimezone(JAKARTA)
        index = day.year * 12 + day.month - 1 + months
        assert (local.year, local.month) == (index // 12, index % 12 + 1)
        assert local.day == min(day.day, calendar.monthrange(local.year, local.month)[1])
        assert (local.hour, local.minute, state.anchor_day) == (23, 30, day.day)


def test_a_yearly_leap_day_comes_back_every_fourth_year() -> None:
    state = life(begins_at(date(2028, 2, 29)), anchor_day=29, interval="YEARLY")
    days = []
    for _ in range(4):
        state = advance(state, balance=PRICE, now=state.period_ends_at, terms=TERMS).life
        days.append(today(state.period_ends_at).isoformat())
    assert days == ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


@given(
    some.datetimes(datetime(2025, 1, 1), datetime(2040, 1, 1)),
    some.integers(1, 31),
    some.sampled_from(["MONTHLY", "YEARLY"]),
)
def test_a_period_is_never_empty_and_never_longer_than_its_name(moment, anchor_day, interval) -> None:
    begins = moment.replace(tzinfo=UTC)
    length = period_end(begins, interval, anchor_day=anchor_day) - begins
    assert timedelta(0) < length <= timedelta(days=61 if interval == "MONTHLY" else 396)


def test_after_a_resumption_the_day_of_the_month_is_that_of_the_resumption() -> None:
    back = resumed(at("SUSPENDED", anchor_day=31), now=begins_at(date(2027, 2, 10))).life
    assert (back.anchor_day, today(back.period_ends_at).isoformat()) == (10, "2027-03-10")


# --- grace ----------------------------------------------------------------------------------------------


@given(days=some.integers(0, 60), late_hours=some.integers(0, 200), every_hours=some.integers(1, 48))
def test_grace_lasts_its_days_with_a_try_a_day_however_the_run_comes_round(days, late_hours, every_hours) -> None:
    terms = Terms(days * DAY, TERMS.data_kept, TERMS.last_warning)
    now = NOW + timedelta(hours=late_hours)
    turn = advance(at("ACTIVE"), balance=0, now=now, terms=terms)
    tries, fell_due = 1, now
    while turn.life.status == "PAST_DUE":
        assert turn.life.due_at <= turn.life.grace_ends_at == fell_due + terms.grace
        while not is_due(turn.life, now=now):
            now += timedelta(hours=every_hours)
        turn, tries = advance(turn.life, balance=0, now=now, terms=terms), tries + 1
    assert turn.step is Step.SUSPENDED
    assert now >= fell_due + terms.grace
    assert tries <= days + 1


@given(hours=some.integers(0, 7 * 24 - 1))
def test_paid_at_any_hour_of_grace_the_period_is_the_one_that_was_owed(hours) -> None:
    owed = advance(at("ACTIVE"), balance=0, now=NOW, terms=TERMS).life
    turn = try_to_pay(owed, balance=PRICE, now=NOW + timedelta(hours=hours))
    assert turn is not None
    assert (turn.life.period_started_at, turn.life.period_number) == (NOW, 2)


@given(late=some.integers(0, 400))
def test_data_never_goes_before_a_warning_that_came_in_time(late) -> None:
    now = NOW + late * DAY
    warned = advance(at("SUSPENDED"), balance=0, now=now, terms=TERMS).life
    assert warned.due_at == warned.data_kept_until
    assert warned.data_kept_until - now >= TERMS.last_warning
    assert advance(warned, balance=0, now=warned.due_at, terms=TERMS).step is Step.ENDED


# --- prices and reminders -------------------------------------------------------------------------------


@pytest.mark.parametrize(("from_in_days", "charged"), [(-1, 40_000), (0, 40_000), (1, PRICE)])
def test_an_announced_price_counts_for_periods_that_begin_from_its_day(from_in_days, charged) -> None:
    before = at("ACTIVE", next_price=40_000, next_price_from=NOW + from_in_days * DAY)
    assert amount_due(before) == charged
    turn = advance(before, balance=100_000, now=NOW, terms=TERMS)
    assert (turn.charge, turn.life.price, turn.life.next_price is None) == (charged, charged, charged == 40_000)


def test_the_setup_fee_comes_with_a_trials_first_paid_period_alone() -> None:
    assert advance(at("TRIALING"), balance=99_999, now=NOW, terms=TERMS, setup_fee=5_000).charge == 30_000
    assert advance(at("ACTIVE"), balance=99_999, now=NOW, terms=TERMS, setup_fee=5_000).charge == PRICE


@pytest.mark.parametrize(
    ("days_before", "next_in"), [(30, 7), (7.5, 7), (7, 1), (3, 1), (1, None), (0.5, None), (-1, None)]
)
def test_reminders_go_out_seven_days_and_one_day_before(days_before, next_in) -> None:
    ends_at = NOW + timedelta(days=days_before)
    assert next_reminder(ends_at, now=NOW) == (ends_at - timedelta(days=next_in) if next_in else None)
