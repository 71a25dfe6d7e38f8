"""The second factor from its owner's side: set up, recovery codes, switched off; what is stored and told."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from urllib.parse import unquote

import pytest
from sqlalchemy import select, text

from portal.accounts import second_factor
from portal.accounts.errors import WrongCode
from portal.accounts.models import RecoveryCode, User
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.accounts.authenticator import ENGLISH, SET_UP, recovery_codes_on, scan, switched_on, wrong
from tests.books.crowd import all_at_once
from tests.personas import PASSWORD, sign_in
from tests.queries import SIGNED_IN_MAX, counted

pytest_plugins = ["tests.personas"]

PAGES = [SET_UP, f"{SET_UP}/confirmation", f"{SET_UP}/recovery-codes", f"{SET_UP}/removal"]
HALF_A_MINUTE = timedelta(seconds=30)


def _user(person):
    db.session.rollback()
    return db.session().get(User, person.user_id, populate_existing=True)


def _acts():
    db.session.rollback()
    return list(db.session().scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


@pytest.mark.parametrize("path", PAGES)
def test_visitors_sign_in_first(client, path):
    assert client.get(path).location == f"/sign-in?next={path}"
    assert client.post(path).location.startswith("/sign-in")


def test_it_counts_from_the_first_right_code_on(client, ayu):
    sign_in(client, ayu.email)
    phone = scan(client)
    assert not _user(ayu).has_second_factor
    page = client.post(f"{SET_UP}/confirmation", data={"code": phone.code()}, headers=ENGLISH)
    assert page.status_code == 200
    assert "not shown again" in page.text
    assert len(recovery_codes_on(page.text)) == 10
    assert _user(ayu).has_second_factor
    assert mailbox.codes(ayu.email) == ["second_factor_on"]
    assert _acts()[-1] == "user.second_factor_on"


def test_a_factor_begun_and_left_asks_for_nothing(client, ayu):
    sign_in(client, ayu.email)
    scan(client)
    client.post("/sign-out")
    assert client.post("/sign-in", data={"email": ayu.email, "password": PASSWORD}).location == "/dashboard/"


def test_the_password_is_asked_before_a_secret_is_made(client, ayu):
    sign_in(client, ayu.email)
    response = client.post(SET_UP, data={"current": "wrong password"}, headers=ENGLISH)
    assert response.status_code == 422
    assert "This is not your current password." in response.text
    assert client.get(f"{SET_UP}/confirmation").location == SET_UP


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "\x00", "9" * 10_000, "<script>"])
def test_what_is_no_code_switches_nothing_on(client, ayu, typed):
    sign_in(client, ayu.email)
    scan(client)
    response = client.post(f"{SET_UP}/confirmation", data={"code": typed})
    assert response.status_code == 422
    assert "<script>" not in response.text
    assert not _user(ayu).has_second_factor


def test_the_page_shows_the_secret_as_picture_as_text_and_as_link(client, ayu):
    sign_in(client, ayu.email)
    phone = scan(client)
    page = client.get(f"{SET_UP}/confirmation").text
    assert 'src="data:image/svg+xml' in page
    address = unquote(re.search(r'href="(otpauth://[^"]+)"', page)[1]).replace("&amp;", "&")
    assert address == f"otpauth://totp/MinisPod:{ayu.email}?secret={phone.secret}&issuer=MinisPod"
    assert client.get(f"{SET_UP}/confirmation").headers["Cache-Control"] == "no-store"


def test_beginning_again_replaces_the_secret(client, ayu):
    sign_in(client, ayu.email)
    first, second = scan(client), scan(client)
    assert first.secret != second.secret
    assert client.post(f"{SET_UP}/confirmation", data={"code": wrong(second)}).status_code == 422
    assert client.post(f"{SET_UP}/confirmation", data={"code": second.code()}).status_code == 200


def test_another_session_of_the_same_person_is_not_shown_the_secret(client, ayu):
    """A session that was stolen before: whoever holds it must not read along."""
    stolen = sign_in(client.application.test_client(), ayu.email)
    phone = scan(sign_in(client, ayu.email))
    assert stolen.get(f"{SET_UP}/confirmation").location == SET_UP
    assert stolen.post(f"{SET_UP}/confirmation", data={"code": phone.code()}).location == SET_UP
    assert client.get(f"{SET_UP}/confirmation").status_code == 200


def test_a_page_sent_twice_says_that_it_is_on(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    for path in (SET_UP, f"{SET_UP}/confirmation"):
        assert client.get(path).location == "/security"
        assert client.post(path, data={"code": phone.code(), "current": PASSWORD}).location == "/security"
    assert db.session().query(RecoveryCode).count() == 10


def test_switching_on_signs_out_everywhere_else(client, ayu):
    sign_in(client, ayu.email)
    other = sign_in(client.application.test_client(), ayu.email)
    switched_on(client)
    assert client.get("/security").status_code == 200
    assert other.get("/security").status_code == 303


def test_nothing_readable_is_stored(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    db.session.rollback()
    user = str(db.session().execute(text("SELECT * FROM user_account")).all())
    rest = str(db.session().execute(text("SELECT * FROM recovery_code")).all())
    rest += str(db.session().execute(text("SELECT * FROM audit_entry")).all())
    rest += str(db.session().execute(text("SELECT parameters, secret_parameters FROM mail")).all())
    assert phone.secret not in user + rest
    assert [code for code in phone.recovery_codes if code in rest or code.replace("-", "") in rest] == []


def test_the_security_page_tells_how_it_stands(client, ayu):
    sign_in(client, ayu.email)
    assert "Set it up" in client.get("/security", headers=ENGLISH).text
    switched_on(client)
    with counted() as queries:
        page = client.get("/security", headers=ENGLISH).text
    assert "10 recovery codes are left" in page
    assert len(queries) <= SIGNED_IN_MAX


def test_few_recovery_codes_are_a_warning(client, ayu):
    sign_in(client, ayu.email)
    switched_on(client)
    with transaction() as session:
        spent = session.scalars(select(RecoveryCode).limit(8)).all()
        for code in spent:
            code.used_at = clock.now()
    assert "Make new ones before you need them." in client.get("/security", headers=ENGLISH).text


def test_new_recovery_codes_take_a_code_and_end_the_old_ones(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    assert client.post(f"{SET_UP}/recovery-codes", data={"code": wrong(phone)}).status_code == 422
    clock.advance(HALF_A_MINUTE)
    page = client.post(f"{SET_UP}/recovery-codes", data={"code": phone.code()}).text
    renewed = recovery_codes_on(page)
    assert len(renewed) == 10
    assert not set(renewed) & set(phone.recovery_codes)
    assert client.post(f"{SET_UP}/recovery-codes", data={"recovery_code": phone.recovery_codes[0]}).status_code == 422
    assert client.post(f"{SET_UP}/recovery-codes", data={"recovery_code": renewed[0]}).status_code == 200
    assert mailbox.codes(ayu.email)[-2:] == ["recovery_codes_renewed"] * 2
    assert _acts()[-2:] == ["user.recovery_code_used", "user.recovery_codes_renewed"]


def test_switching_off_takes_the_password_and_a_code(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    clock.advance(HALF_A_MINUTE)
    for form in (
        {"current": PASSWORD},
        {"current": PASSWORD, "code": wrong(phone)},
        {"current": "wrong password", "code": phone.code()},
        {"code": phone.code()},
    ):
        assert client.post(f"{SET_UP}/removal", data=form).status_code == 422
    assert _user(ayu).has_second_factor
    response = client.post(f"{SET_UP}/removal", data={"current": PASSWORD, "code": phone.code()})
    assert response.location == "/security"
    assert not _user(ayu).has_second_factor
    assert db.session().query(RecoveryCode).count() == 0
    assert mailbox.codes(ayu.email)[-1] == "second_factor_off"
    assert _acts()[-1] == "user.second_factor_off"


def test_a_recovery_code_switches_it_off_when_the_phone_is_gone(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    form = {"current": PASSWORD, "code": "", "recovery_code": phone.recovery_codes[3].upper()}
    assert client.post(f"{SET_UP}/removal", data=form).location == "/security"
    assert not _user(ayu).has_second_factor


def test_what_is_off_is_not_switched_off_again(client, ayu):
    sign_in(client, ayu.email)
    for path in (f"{SET_UP}/removal", f"{SET_UP}/recovery-codes"):
        assert client.get(path).location == "/security"
        assert client.post(path, data={"current": PASSWORD, "code": "123456"}).location == "/security"


def test_a_code_of_one_page_is_no_code_on_another(client, ayu):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    form = {"current": PASSWORD, "code": phone.code()}
    assert client.post(f"{SET_UP}/removal", data=form).status_code == 422
    clock.advance(HALF_A_MINUTE)
    code = phone.code()
    assert client.post(f"{SET_UP}/recovery-codes", data={"code": code}).status_code == 200
    assert client.post(f"{SET_UP}/removal", data={"current": PASSWORD, "code": code}).status_code == 422


def test_another_persons_codes_are_worth_nothing(client, ayu, citra):
    phone = switched_on(sign_in(client.application.test_client(), ayu.email))
    stranger = sign_in(client, citra.email)
    own = switched_on(stranger)
    clock.advance(HALF_A_MINUTE)
    for form in ({"code": phone.code()}, {"recovery_code": phone.recovery_codes[0]}):
        assert stranger.post(f"{SET_UP}/recovery-codes", data=form).status_code == 422
    assert stranger.post(f"{SET_UP}/recovery-codes", data={"code": own.code()}).status_code == 200


@pytest.mark.parametrize("page", ["recovery-codes", "removal"])
def test_guesses_are_counted_over_all_pages(client, ayu, page):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    form = {"code": wrong(phone), "current": PASSWORD}
    paths = [f"{SET_UP}/recovery-codes", f"{SET_UP}/removal"] * 5 + [f"{SET_UP}/{page}"]
    assert [client.post(path, data=form).status_code for path in paths] == [422] * 10 + [429]


def test_the_password_is_not_guessed_here_either(client, ayu):
    sign_in(client, ayu.email)
    answers = [client.post(SET_UP, data={"current": "wrong password"}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


@pytest.mark.parametrize("proof", ["code", "recovery_code"])
def test_of_many_requests_with_the_same_code_one_wins(client, portal, ayu, proof):
    sign_in(client, ayu.email)
    phone = switched_on(client)
    clock.advance(HALF_A_MINUTE)
    typed = phone.code() if proof == "code" else phone.recovery_codes[0]
    outcomes = all_at_once(portal, [partial(_use, ayu.user_id, typed)] * 8)
    assert sorted(map(str, outcomes)) == ["used"] + ["wrong"] * 7


def _use(user_id, typed):
    try:
        with transaction() as session:
            user = second_factor.locked(session, user_id)
            second_factor.use(session, user, typed, now=clock.now())
    except WrongCode:
        return "wrong"
    return "used"


def test_of_many_first_codes_one_switches_it_on(client, portal, ayu):
    sign_in(client, ayu.email)
    phone = scan(client)
    code, keep = phone.code(), ayu.user_id
    outcomes = all_at_once(portal, [partial(_confirm, ayu.user_id, code, keep)] * 6)
    assert sorted(map(str, outcomes)) == ["10"] + ["SecondFactorOn"] * 5
    db.session.rollback()
    assert db.session().query(RecoveryCode).count() == 10


def _confirm(user_id, code, keep):
    from portal.accounts.errors import SecondFactorOn

    try:
        with transaction() as session:
            return str(len(second_factor.confirm(session, user_id, code, keep_session=keep, now=clock.now())))
    except SecondFactorOn as refusal:
        return type(refusal).__name__


def test_the_way_leads_back_to_where_one_came_from(client, ayu):
    sign_in(client, ayu.email)
    begun = client.post(f"{SET_UP}?next=/wallet/", data={"current": PASSWORD})
    assert begun.location == f"{SET_UP}/confirmation?next=/wallet/"
    phone = scan(client)
    page = client.post(begun.location, data={"code": phone.code()}).text
    assert 'href="/wallet/"' in page
    assert 'href="https://evil' not in client.get(f"{SET_UP}?next=https://evil.example/").text
