"""Which silence is whose, and how often people hear of it. No database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.instances import checks
from portal.instances.checks import Check, Due
from tests.conftest import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def round_of(*, well: int = 0, silent: int = 0, out: int = 0) -> list[Check]:
    """A round in which so many answered, fell silent, or were known to be down and still are."""
    answers = [(True, False)] * well + [(False, False)] * silent + [(False, True)] * out
    return [Check(Due(uuid4(), "n8n-abc", out=is_out), answered) for answered, is_out in answers]


@pytest.mark.parametrize(
    "well, silent, out, widespread",
    [
        (0, 0, 0, False),
        (0, 1, 0, False),
        (0, 2, 0, False),  # the only two apps: each is told of
        (0, 3, 0, True),
        (2, 3, 0, True),
        (3, 3, 0, False),  # half is not most
        (100, 40, 0, False),
        (40, 100, 0, True),
        (2, 1, 50, False),  # those known to be down say nothing about the way
        (0, 0, 50, False),
    ],
)
def test_silence_is_widespread_when_most_apps_fall_silent_together(well, silent, out, widespread):
    assert checks.is_widespread(round_of(well=well, silent=silent, out=out)) is widespread


@pytest.mark.parametrize(
    "earlier, may",
    [
        ([], True),
        ([59 * MINUTE], False),
        ([HOUR], True),
        ([HOUR, 3 * HOUR], False),
        ([6 * HOUR, 8 * HOUR], True),
        ([6 * HOUR - MINUTE, 8 * HOUR, 20 * HOUR], False),
        ([25 * HOUR, 26 * HOUR], True),
    ],
)
def test_pauses_between_tellings_grow(earlier, may):
    assert checks.may_tell([NOON - ago for ago in earlier], now=NOON) is may


@given(st.lists(st.integers(1, 300), min_size=1, max_size=200))
def test_no_flapping_is_told_more_than_five_times_in_a_day(pauses_min):
    now, told = NOON, []
    for pause_min in pauses_min:
        now += pause_min * MINUTE
        if checks.may_tell(told, now=now):
            told.append(now)
    for moment in told:
        assert sum(moment <= other < moment + DAY for other in told) <= 5


@pytest.mark.parametrize(
    "asked, answered, permille", [(0, 0, None), (288, 288, 1000), (288, 287, 996), (10_000, 9_999, 999), (3, 0, 0)]
)
def test_availability_is_rounded_down(asked, answered, permille):
    assert checks.availability_permille(asked, answered) == permille


def test_an_outage_lasts_at_least_a_minute():
    assert checks.minutes_down(NOON, NOON) == 1
    assert checks.minutes_down(NOON, NOON + 95 * MINUTE) == 95
