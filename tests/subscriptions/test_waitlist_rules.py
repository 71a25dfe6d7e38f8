"""Who is next, who may pass, and what a free slot brings: tables, and the same order in the database."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations, product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.subscriptions.rules import (
    LAUNCH_HOLDS_MAX,
    Serving,
    line_order,
    may_hold_another,
    serving,
    slots_for_sale,
)
from tests.conftest import NOON

LATER = NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    "free, ahead, held, slots",
    [
        # free  ahead  held   may take
        (0, 0, False, 0),
        (1, 0, False, 1),
        (3, 0, False, 3),
        (-1, 0, False, 0),  # the operator never may, but a page must not offer it
        (1, 1, False, 0),  # whoever waits goes first
        (5, 1, False, 0),  # also when slots would be left over: they are offered in order
        (0, 0, True, 1),
        (0, 9, True, 1),  # what is held is theirs, whoever waits
        (3, 9, True, 1),
    ],
)
def test_who_may_take_a_slot(free: int, ahead: int, held: bool, slots: int) -> None:
    assert slots_for_sale(free, ahead=ahead, held=held) == slots


@given(st.integers(-5, 50), st.integers(0, 50))
def test_nobody_passes_a_queue_and_nothing_is_sold_that_is_not_there(free: int, ahead: int) -> None:
    found = slots_for_sale(free, ahead=ahead)
    assert 0 <= found <= max(free, 0)
    assert ahead == 0 or found == 0


def test_who_resumes_goes_first_then_who_came_first() -> None:
    line = [
        (True, NOON, UUID(int=9)),
        (True, LATER, UUID(int=1)),
        (False, NOON, UUID(int=2)),
        (False, NOON, UUID(int=3)),  # at the same moment: by id, so that every look sees one order
        (False, LATER, UUID(int=0)),
    ]
    for mixed in permutations(line):
        served = sorted(mixed, key=lambda one: line_order(resumes=one[0], joined_at=one[1], entry_id=one[2]))
        assert served == line


def test_what_a_free_slot_brings() -> None:
    table = {
        (True, True, True): Serving.BY_ITSELF,
        (True, True, False): Serving.OFFERED,
    }
    for sold, wanted, by_itself in product([True, False], repeat=3):
        expected = table.get((sold, wanted, by_itself), Serving.LEAVES)
        assert serving(sold=sold, wanted=wanted, by_itself=by_itself) is expected


def test_holds_are_few() -> None:
    assert [may_hold_another(held) for held in range(4)] == [True, True, False, False]
    assert LAUNCH_HOLDS_MAX == 2
