"""One account has one budget of guesses, however its address is spelled."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.personas"]

SPELLINGS = ["ayu@example.com", "AYU@Example.com", " ayu@example.com", "ayu@ｅxample.com", "ayu@example。com"]


def _guess(client, email, caller):
    form = {"email": email, "password": "a wrong guess altogether"}
    return client.post("/sign-in", data=form, environ_overrides={"REMOTE_ADDR": f"203.0.113.{caller}"}).status_code


def test_other_spellings_of_an_address_bring_no_further_guesses(client, ayu):
    answers = [_guess(client, SPELLINGS[number % len(SPELLINGS)], number) for number in range(12)]
    assert answers == [422] * 10 + [429] * 2


@pytest.mark.parametrize("email", ["", "x" * 5_000, "nobody at all", "\x00@example.com"])
def test_what_is_no_address_is_refused_like_any_other(client, portal, email):
    assert _guess(client, email, 1) == 422
