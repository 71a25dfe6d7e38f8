"""How long a mail waits for a mail server that is away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.notices.rules import GIVE_UP_AFTER, pause_before_next


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1_800), (6, 3_600), (40, 3_600)]
)
def test_pauses_grow_to_an_hour(attempts, seconds):
    assert pause_before_next(attempts, age=timedelta(0)) == timedelta(seconds=seconds)


def test_a_mail_is_given_up_after_two_days():
    assert pause_before_next(1, age=GIVE_UP_AFTER - timedelta(seconds=1)) is not None
    assert pause_before_next(1, age=GIVE_UP_AFTER) is None
