"""Codes: which count, which do not, and that none counts twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyotp
import pytest

from portal.accounts import one_time_codes as codes

NOW = datetime(2026, 3, 10, 5, 0, 12, tzinfo=UTC)
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
STEP = int(NOW.timestamp()) // 30


def shown(steps: int) -> str:
    return pyotp.TOTP(SECRET).at(NOW + timedelta(seconds=30 * steps))


@pytest.mark.parametrize(
    "at, code",
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(at, code):
    now = datetime.fromtimestamp(at, UTC)
    assert codes.code_at(SECRET, now) == code
    assert codes.matching_step(SECRET, code, after=None, now=now) == at // 30


@pytest.mark.parametrize("away, counts", [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_half_a_minute_off_is_near_enough(away, counts):
    found = codes.matching_step(SECRET, shown(away), after=None, now=NOW)
    assert found == (STEP + away if counts else None)


@pytest.mark.parametrize("used, counts", [(-1, True), (0, False), (1, False)])
def test_a_step_that_was_used_or_passed_over_is_gone(used, counts):
    found = codes.matching_step(SECRET, shown(0), after=STEP + used, now=NOW)
    assert found == (STEP if counts else None)


def test_spaces_do_not_matter():
    code = shown(0)
    assert codes.matching_step(SECRET, f" {code[:3]} {code[3:]}\n", after=None, now=NOW) == STEP


@pytest.mark.parametrize(
    "typed", ["", " ", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "1e5000", "\x00" * 6, "\ud800", "9" * 100_000]
)
def test_what_is_no_code_is_refused(typed):
    assert codes.matching_step(SECRET, typed, after=None, now=NOW) is None
    assert not codes.is_recovery_code(typed)


def test_secrets_are_long_and_never_the_same():
    made = {codes.new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(pyotp.TOTP(secret).byte_secret()) for secret in made} == {20}


def test_the_address_names_who_and_where():
    address = codes.address(SECRET, account="ayu+x@example.com", issuer="Mini Pod")
    assert address == f"otpauth://totp/Mini%20Pod:ayu%2Bx%40example.com?secret={SECRET}&issuer=Mini%20Pod"


def test_recovery_codes_are_ten_different_ones_that_people_can_read():
    made = codes.new_recovery_codes()
    assert len(set(made)) == 10
    assert all(codes.is_recovery_code(code) for code in made)
    assert not set("ilou") & set("".join(made))


@pytest.mark.parametrize(
    "typed", ["7H2K-M4QX-9TZA-C0W1", "7h2km4qx9tzac0w1", " 7h2k m4qx 9tza cOwI ", "7h2k—m4qx—9tza—c0wl"]
)
def test_a_recovery_code_is_the_same_however_it_is_written(typed):
    user_id = uuid4()
    assert codes.is_recovery_code(typed)
    assert codes.recovery_digest(user_id, typed) == codes.recovery_digest(user_id, "7h2k-m4qx-9tza-c0w1")


def test_the_same_code_of_two_people_is_stored_differently():
    code = codes.new_recovery_codes()[0]
    assert codes.recovery_digest(uuid4(), code) != codes.recovery_digest(uuid4(), code)
