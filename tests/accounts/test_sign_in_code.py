"""Signing in with a second factor: half a sign-in opens nothing, a code counts once, and guessing leads nowhere."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, text

from portal.accounts import half_way, second_factor, sessions
from portal.accounts.models import PendingSignIn, RecoveryCode, User, UserSession
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.crypto import digest
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.accounts.authenticator import ENGLISH, SET_UP, Phone, switched_on, wrong
from tests.books.crowd import all_at_once
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]

CODE = "/sign-in/code"
NEW = "lima ekor kuda laut"


@pytest.fixture
def phone(client, ayu) -> Phone:
    """Ayu's; she is signed out, and the code of this half minute is new."""
    found = switched_on(sign_in(client, ayu.email))
    client.post("/sign-out")
    clock.advance(timedelta(seconds=30))
    return found


def half(client, *, wanted=None, remember=False, email="ayu@example.com"):
    """A right password: the answer of the sign-in page."""
    form = {"email": email, "password": PASSWORD} | ({"remember": "y"} if remember else {})
    return client.post("/sign-in", query_string={"next": wanted} if wanted else {}, data=form)


def code(client, typed, *, field="code", **where):
    return client.post(CODE, data={field: typed}, headers=ENGLISH, **where)


def _live_sessions(person):
    db.session.rollback()
    statement = select(UserSession).where(UserSession.user_id == person.user_id, UserSession.revoked_at.is_(None))
    return db.session().scalars(statement).all()


def _acts():
    db.session.rollback()
    return list(db.session().scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def _kept(client):
    with client.session_transaction() as cookie:
        return dict(cookie)


def test_a_right_password_opens_the_page_of_the_code_and_nothing_else(client, ayu, phone):
    before = len(_live_sessions(ayu))
    assert half(client).location == CODE
    assert client.get(CODE).status_code == 200
    for path in ("/dashboard/", "/security", "/profile", f"{SET_UP}/removal"):
        assert client.get(path).location.startswith("/sign-in?next=")
    assert len(_live_sessions(ayu)) == before
    assert _acts()[-1] == "user.password_accepted"


def test_a_right_code_opens_the_session(client, ayu, phone):
    half(client)
    planted = _kept(client)[sessions.HALF_WAY_KEY]
    assert code(client, phone.code()).location == "/dashboard/"
    kept = _kept(client)
    assert sessions.HALF_WAY_KEY not in kept
    assert kept[sessions.COOKIE_KEY] != planted
    assert client.get("/security").status_code == 200
    assert _acts()[-1] == "user.signed_in"


def test_of_half_a_sign_in_only_the_digest_is_stored(client, ayu, phone):
    half(client)
    token = _kept(client)[sessions.HALF_WAY_KEY]
    db.session.rollback()
    found = db.session().query(PendingSignIn).one()
    assert found.token_digest == digest(token) != token


def test_the_token_of_half_a_sign_in_is_no_session(client, ayu, phone):
    half(client)
    token = _kept(client)[sessions.HALF_WAY_KEY]
    with client.session_transaction() as cookie:
        cookie[sessions.COOKIE_KEY] = token
    assert client.get("/security").status_code == 303


def test_half_a_sign_in_is_used_once(client, portal, ayu, phone):
    half(client)
    token = _kept(client)[sessions.HALF_WAY_KEY]
    code(client, phone.code())
    clock.advance(timedelta(seconds=30))
    again = portal.test_client()
    with again.session_transaction() as cookie:
        cookie[sessions.HALF_WAY_KEY] = token
    assert code(again, phone.code()).location == "/sign-in"
    assert len(_live_sessions(ayu)) == 1


def test_where_one_wanted_to_go_and_for_how_long_are_kept(client, ayu, phone):
    answer = half(client, wanted="/wallet/?page=2", remember=True)
    assert answer.location == f"{CODE}?next=/wallet/?page%3D2"
    answer = client.post(answer.location, data={"code": phone.code()})
    assert answer.location == "/wallet/?page=2"
    assert "Expires" in answer.headers["Set-Cookie"]
    clock.advance(timedelta(days=29))
    assert client.get("/profile").status_code == 200


def test_without_remember_the_session_is_short(client, ayu, phone):
    half(client)
    code(client, phone.code())
    clock.advance(sessions.LIFETIME)
    assert client.get("/profile").status_code == 303


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_it_never_leads_to_another_site(client, ayu, phone, wanted):
    half(client, wanted=wanted)
    assert code(client, phone.code(), query_string={"next": wanted}).location == "/dashboard/"


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "\x00", "9" * 10_000, "' OR 1=1 --", "<script>", "١٢٣٤٥٦"])
def test_what_is_no_code_is_refused_alike(client, ayu, phone, typed):
    half(client)
    answer = code(client, typed)
    assert answer.status_code == 422
    assert "This code is not right" in answer.text
    assert "<script>" not in answer.text
    assert client.get("/security").status_code == 303


def test_a_code_that_was_used_does_not_count_again(client, portal, ayu, phone):
    half(client)
    used = phone.code()
    code(client, used)
    thief = portal.test_client()
    half(thief)
    assert code(thief, used).status_code == 422
    assert code(thief, phone.code(-1)).status_code == 422
    assert code(thief, phone.code(1)).status_code == 303


def test_a_recovery_code_stands_in_for_the_phone_once(client, portal, ayu, phone):
    half(client)
    assert code(client, phone.recovery_codes[0], field="recovery_code").status_code == 303
    assert mailbox.codes(ayu.email)[-1] == "recovery_code_used"
    assert "user.recovery_code_used" in _acts()
    again = portal.test_client()
    half(again)
    refused = code(again, phone.recovery_codes[0], field="recovery_code")
    assert refused.status_code == 422
    assert '<details class="mb-3" open>' in refused.text
    assert code(again, phone.recovery_codes[1].replace("-", " ").upper(), field="recovery_code").status_code == 303


def test_ten_minutes_later_one_begins_anew(client, ayu, phone):
    half(client, wanted="/wallet/")
    clock.advance(half_way.LIFETIME)
    answer = client.get(f"{CODE}?next=/wallet/", headers=ENGLISH)
    assert answer.location == "/sign-in?next=/wallet/"
    assert "This took too long" in client.get(answer.location, headers=ENGLISH).text
    half(client)
    clock.advance(half_way.LIFETIME)
    assert code(client, phone.code()).location == "/sign-in"


def test_without_half_a_sign_in_there_is_no_page(client, portal):
    assert client.get(CODE).location == "/sign-in"
    assert client.post(CODE, data={"code": "123456"}).location == "/sign-in"
    with client.session_transaction() as cookie:
        cookie[sessions.HALF_WAY_KEY] = "planted"
    assert client.post(CODE, data={"code": "123456"}).location == "/sign-in"
    with client.session_transaction() as cookie:
        cookie[sessions.HALF_WAY_KEY] = ["not", "text"]
    assert client.get(CODE).location == "/sign-in"


def test_who_is_signed_in_has_no_business_there(client, citra):
    assert sign_in(client, citra.email).get(CODE).location == "/dashboard/"


def test_five_tries_and_one_begins_anew(client, ayu, phone):
    half(client)
    assert [code(client, wrong(phone)).status_code for _ in range(5)] == [422] * 5
    assert code(client, phone.code()).location == "/sign-in"
    assert len(_live_sessions(ayu)) == 0
    assert _acts().count("user.code_refused") == 5


def test_the_owner_is_warned_when_somebody_has_the_password_but_no_code(client, ayu, phone):
    for _ in range(2):
        half(client)
        for _ in range(5):
            code(client, wrong(phone))
    assert mailbox.codes(ayu.email).count("codes_guessed") == 1


def test_a_right_code_at_the_last_try_warns_nobody(client, ayu, phone):
    half(client)
    for _ in range(4):
        code(client, wrong(phone))
    assert code(client, phone.code()).status_code == 303
    assert "codes_guessed" not in mailbox.codes(ayu.email)


def test_guesses_are_counted_per_account_whatever_caller_and_half_sign_in(client, portal, ayu, phone):
    answers = []
    for caller in range(3):
        thief = portal.test_client()
        half(thief)
        origin = {"REMOTE_ADDR": f"203.0.113.{caller}"}
        answers += [code(thief, wrong(phone), environ_base=origin).status_code for _ in range(4)]
    assert answers == [422] * 10 + [429] * 2
    half(client)
    assert code(client, phone.code()).status_code == 429


def test_guesses_inside_count_with_those_outside(client, ayu, phone):
    half(client)
    code(client, phone.code())
    for _ in range(10):
        client.post(f"{SET_UP}/recovery-codes", data={"code": wrong(phone)})
    client.post("/sign-out")
    half(client)
    clock.advance(timedelta(seconds=30))
    assert code(client, phone.code()).status_code == 429


def test_other_peoples_guesses_take_nobodys_turn(client, portal, ayu, citra, phone):
    own = switched_on(sign_in(client, citra.email))
    client.post("/sign-out")
    half(client)
    for _ in range(11):
        code(client, wrong(phone))
    other = portal.test_client()
    half(other, email=citra.email)
    clock.advance(timedelta(seconds=30))
    assert code(other, own.code()).status_code == 303


def test_of_many_tries_at_once_five_are_looked_at(client, portal, ayu, phone):
    half(client)
    token = _kept(client)[sessions.HALF_WAY_KEY]
    outcomes = all_at_once(portal, [partial(_spend, token)] * 12)
    assert sorted(map(str, outcomes)) == ["1", "2", "3", "4", "5"] + ["spent"] * 7


def _spend(token):
    from portal.accounts.errors import SignInSpent

    try:
        with transaction() as session:
            return half_way.spend_try(session, token, now=clock.now())
    except SignInSpent:
        return "spent"


def test_of_many_browsers_with_the_same_code_one_gets_in(client, portal, ayu, phone):
    tokens = []
    for _ in range(6):
        half(client)
        tokens.append(_kept(client)[sessions.HALF_WAY_KEY])
    outcomes = all_at_once(portal, [partial(_finish, token, phone.code()) for token in tokens])
    assert sorted(map(str, outcomes)) == ["WrongCode"] * 5 + ["in"]


def _finish(token, typed):
    from portal.accounts.errors import WrongCode

    try:
        with transaction() as session:
            half_way.finish(session, token, typed, now=clock.now())
    except WrongCode as refusal:
        return type(refusal).__name__
    return "in"


def test_a_wrong_password_tells_nothing_of_a_second_factor(client, ayu, citra, phone):
    def answer(email):
        form = {"email": email, "password": "a wrong guess altogether"}
        return client.post("/sign-in", data=form, headers=ENGLISH)

    client.get("/sign-in")  # shows what signing out had to say
    with_one, without, nobody = answer(ayu.email), answer(citra.email), answer("nobody@example.com")
    assert with_one.status_code == without.status_code == nobody.status_code == 422
    assert with_one.text.replace("ayu@", "x@") == without.text.replace("citra@", "x@")
    assert with_one.text.replace("ayu@", "x@") == nobody.text.replace("nobody@", "x@")


def test_a_reset_password_neither_signs_in_nor_goes_around_the_code(client, ayu, phone):
    client.post("/forgot", data={"email": ayu.email})
    path = f"/reset/{mailbox.token(ayu.email, 'reset_password')}"
    assert client.post(path, data={"password": NEW}).location == "/sign-in"
    assert client.post("/sign-in", data={"email": ayu.email, "password": NEW}).location == CODE
    assert client.get("/security").status_code == 303
    assert code(client, phone.code()).status_code == 303


@pytest.mark.parametrize("happens", ["password reset", "account closed", "sessions ended"])
def test_half_a_sign_in_ends_with_the_sessions(client, portal, ayu, dewi, phone, happens):
    half(client)
    if happens == "password reset":
        browser = portal.test_client()
        browser.post("/forgot", data={"email": ayu.email})
        browser.post(f"/reset/{mailbox.token(ayu.email, 'reset_password')}", data={"password": NEW})
    elif happens == "account closed":
        form = {"act": "close", "ids": str(ayu.user_id), "confirmed": "y"}
        sign_in(portal.test_client(), dewi.email).post("/admin/users/bulk", data=form)
    else:
        with transaction() as session:
            sessions.revoke(session, user_id=ayu.user_id, now=clock.now())
    assert code(client, phone.code()).location == "/sign-in"
    assert _live_sessions(ayu) == []


def test_a_factor_switched_off_meanwhile_means_signing_in_anew(client, ayu, phone):
    half(client)
    with transaction() as session:
        second_factor.forget(session, second_factor.locked(session, ayu.user_id))
    assert code(client, phone.code()).location == "/sign-in"
    assert half(client).location == "/dashboard/"


def test_a_planted_cookie_does_not_survive_the_password(client, ayu, phone):
    with client.session_transaction() as cookie:
        cookie[sessions.HALF_WAY_KEY] = cookie[sessions.COOKIE_KEY] = cookie["other"] = "planted"
    half(client)
    kept = _kept(client)
    assert kept[sessions.HALF_WAY_KEY] != "planted"
    assert sessions.COOKIE_KEY not in kept
    assert "other" not in kept


def test_a_new_kind_of_device_is_told_once_the_code_was_right(client, portal, ayu, phone):
    laptop = portal.test_client()
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0"}
    laptop.post("/sign-in", data={"email": ayu.email, "password": PASSWORD}, headers=agent)
    assert "new_sign_in" not in mailbox.codes(ayu.email)
    laptop.post(CODE, data={"code": phone.code()}, headers=agent)
    assert mailbox.codes(ayu.email)[-1] == "new_sign_in"


def test_nothing_typed_is_written_down(client, ayu, phone):
    half(client)
    mistyped, right = wrong(phone), phone.recovery_codes[2]
    code(client, mistyped)
    code(client, right, field="recovery_code")
    db.session.rollback()
    written = str(db.session().execute(text("SELECT facts FROM audit_entry")).all())
    assert mistyped not in written
    assert right not in written


def test_the_field_asks_the_phone_for_digits(client, ayu, phone):
    half(client)
    page = client.get(CODE).text
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page


def test_the_night_removes_what_was_never_finished(client, ayu, phone):
    from jobs.housekeeping import clean_up

    half(client)
    clock.advance(timedelta(days=31))
    clean_up()
    db.session.rollback()
    assert db.session().query(PendingSignIn).count() == 0
    assert db.session().query(RecoveryCode).count() == 10
    assert db.session().scalar(select(User.second_factor_at).where(User.id == ayu.user_id))
