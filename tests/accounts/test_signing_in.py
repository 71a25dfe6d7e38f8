"""Signing in and out, and what a session is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.accounts import passwords, sessions
from portal.accounts.models import User, UserSession
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.crypto import digest
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]


def _try(client, email, password, **headers):
    return client.post(
        "/sign-in", data={"email": email, "password": password}, headers={"Accept-Language": "en"} | headers
    )


def _token(client):
    with client.session_transaction() as cookie:
        return cookie.get(sessions.COOKIE_KEY)


def _sessions(user_id):
    db.session.rollback()
    statement = select(UserSession).where(UserSession.user_id == user_id).order_by(UserSession.id)
    return db.session().scalars(statement.execution_options(populate_existing=True)).all()


def test_signing_in_opens_a_session_of_which_only_the_digest_is_stored(client, ayu):
    sign_in(client, "AYU@example.com ")
    (found,) = _sessions(ayu.user_id)
    token = _token(client)
    assert found.token_digest == digest(token) != token
    assert found.customer_id == ayu.customer_id
    assert client.get("/profile").status_code == 200


@pytest.mark.parametrize(
    "email, password",
    [
        ("ayu@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("ayu\x00@example.com", PASSWORD),
        ("ayu@example.com", PASSWORD + "\x00"),
        ("ayu@example.com", "x" * 10_000),
        ("' OR 1=1 --", "' OR '1'='1"),
        ("аyu@example.com", PASSWORD),
    ],
)
def test_every_failure_reads_the_same(client, ayu, email, password):
    response = _try(client, email, password)
    assert response.status_code == 422
    assert "The e-mail address or the password is not right." in response.text
    assert password not in response.text
    assert _token(client) is None


def test_a_closed_account_reads_like_a_wrong_password(client, ayu):
    with transaction() as session:
        session.execute(update(User).values(active=False))
    response = _try(client, ayu.email, PASSWORD)
    assert response.status_code == 422
    assert "The e-mail address or the password is not right." in response.text


def test_unknown_addresses_cost_a_guesser_the_same_work(client, ayu):
    before = passwords._nobodys.cache_info()
    _try(client, "nobody@example.com", "wrong password")
    after = passwords._nobodys.cache_info()
    assert after.hits + after.misses == before.hits + before.misses + 1


def test_a_token_planted_before_signing_in_is_worth_nothing_after(client, ayu):
    with client.session_transaction() as cookie:
        cookie[sessions.COOKIE_KEY] = "planted"
        cookie["other"] = "planted"
    sign_in(client, ayu.email)
    with client.session_transaction() as cookie:
        assert cookie[sessions.COOKIE_KEY] != "planted"
        assert "other" not in cookie


def test_each_sign_in_has_a_token_of_its_own(client, ayu):
    sign_in(client, ayu.email)
    first = _token(client)
    client.post("/sign-out")
    sign_in(client, ayu.email)
    assert _token(client) != first


def test_signing_out_ends_the_session_in_the_database(client, ayu):
    sign_in(client, ayu.email)
    stolen = _token(client)
    assert client.post("/sign-out").location == "/"
    with client.session_transaction() as cookie:
        cookie[sessions.COOKIE_KEY] = stolen
    assert client.get("/profile").status_code == 303


def test_signing_out_twice_is_signing_out(client, ayu):
    sign_in(client, ayu.email)
    assert [client.post("/sign-out").status_code for _ in range(2)] == [303, 303]


def test_a_link_cannot_sign_anyone_out(client, ayu):
    sign_in(client, ayu.email)
    assert client.get("/sign-out").status_code == 405


def test_a_session_ends_after_half_a_day_and_leads_back(client, ayu):
    sign_in(client, ayu.email)
    clock.advance(sessions.LIFETIME)
    response = client.get("/security?x=1")
    assert response.location == "/sign-in?next=/security?x%3D1"
    response = client.post(response.location, data={"email": ayu.email, "password": PASSWORD})
    assert response.location == "/security?x=1"


def test_a_form_sent_too_late_leads_back_to_its_page(client):
    response = client.post("/profile", headers={"Referer": "http://localhost/profile?tab=1"})
    assert response.location == "/sign-in?next=/profile?tab%3D1"
    response = client.post("/profile", headers={"Referer": "https://evil.example/profile"})
    assert response.location == "/sign-in"


def test_a_remembered_device_stays_signed_in_for_thirty_days(client, ayu):
    sign_in(client, ayu.email, remember=True)
    clock.advance(timedelta(days=29))
    assert client.get("/profile").status_code == 200
    clock.advance(timedelta(days=1))
    assert client.get("/profile").status_code == 303


def test_only_a_remembered_cookie_outlives_the_browser(client, ayu):
    sign_in(client, ayu.email)
    assert "Expires" not in client.get("/profile").headers.get("Set-Cookie", "")
    client.post("/sign-out")
    form = {"email": ayu.email, "password": PASSWORD, "remember": "y"}
    assert "Expires" in client.post("/sign-in", data=form).headers["Set-Cookie"]


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_signing_in_never_leads_to_another_site(client, ayu, wanted):
    form = {"email": ayu.email, "password": PASSWORD}
    response = client.post("/sign-in", query_string={"next": wanted}, data=form)
    assert response.location == "/dashboard/"


def test_being_seen_is_noted_every_few_minutes(client, ayu):
    sign_in(client, ayu.email)
    start = clock.now()
    clock.advance(timedelta(minutes=4))
    client.get("/profile")
    assert _sessions(ayu.user_id)[0].last_seen_at == start
    clock.advance(timedelta(minutes=1))
    client.get("/profile")
    assert _sessions(ayu.user_id)[0].last_seen_at == start + timedelta(minutes=5)


def test_a_held_row_never_keeps_a_page_waiting(app, client, ayu):
    sign_in(client, ayu.email)
    clock.advance(timedelta(minutes=6))
    with db.engine.connect() as other:
        other.execute(select(UserSession.id).with_for_update())
        assert client.get("/profile").status_code == 200
        other.rollback()


def test_who_is_made_inactive_is_out_at_once(client, ayu):
    sign_in(client, ayu.email)
    with transaction() as session:
        session.execute(update(User).values(active=False))
    assert client.get("/profile").location.startswith("/sign-in")


def test_a_changed_cookie_is_no_cookie(client, ayu):
    sign_in(client, ayu.email)
    cookie = client.get_cookie("minispod_session").value
    client.set_cookie("minispod_session", cookie[:-3] + "abc")
    assert client.get("/profile").status_code == 303


def test_an_outdated_hash_is_renewed_at_sign_in(client, ayu):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with transaction() as session:
        session.execute(update(User).values(password_hash=weak))
    sign_in(client, ayu.email)
    db.session.rollback()
    stored = db.session().scalar(select(User.password_hash))
    assert stored != weak
    assert passwords.matches(stored, PASSWORD)


def test_attempts_are_audited_without_passwords_or_unknown_addresses(client, session, ayu):
    _try(client, ayu.email, "wrong password")
    _try(client, "nobody@example.com", "wrong password")
    sign_in(client, ayu.email)
    client.post("/sign-out")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in entries] == [
        "user.registered", "user.sign_in_refused", "user.sign_in_refused", "user.signed_in", "user.signed_out",
    ]  # fmt: skip
    assert [entry.subject_kind for entry in entries][1:3] == ["user", "unknown_email"]
    told = " ".join(f"{entry.subject_id} {entry.facts}" for entry in entries)
    assert "wrong" not in told
    assert "nobody" not in told


def test_a_sign_in_from_a_new_kind_of_device_is_told(client, ayu):
    phone = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36"}
    laptop = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0"}
    for agent in (phone, phone, laptop, laptop):
        _try(client, ayu.email, PASSWORD, **agent)
        client.post("/sign-out")
    assert mailbox.codes(ayu.email) == ["new_sign_in"]


def test_failures_are_counted_per_account_whatever_address_they_come_from(client, ayu):
    def attempt(number, password="wrong password"):
        origin = {"REMOTE_ADDR": f"203.0.113.{number}"}
        form = {"email": ayu.email, "password": password}
        return client.post("/sign-in", data=form, environ_base=origin).status_code

    assert [attempt(n) for n in range(11)] == [422] * 10 + [429]
    assert attempt(99, PASSWORD) == 429


def test_failures_are_counted_per_caller_whatever_account_they_try(client):
    statuses = [_try(client, f"user{n}@example.com", "wrong password").status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]


def test_one_ipv6_subscriber_is_one_caller(client):
    def attempt(n):
        origin = {"REMOTE_ADDR": f"2001:db8:1:2::{n:x}"}
        form = {"email": f"user{n}@example.com", "password": "wrong password"}
        return client.post("/sign-in", data=form, environ_base=origin).status_code

    assert [attempt(n) for n in range(11)][-1] == 429


def test_what_succeeds_is_not_counted_as_a_failure(client, ayu):
    for _ in range(15):
        sign_in(client, ayu.email)
        client.post("/sign-out")


def test_the_limit_says_when_to_try_again(client):
    for n in range(11):
        response = _try(client, f"user{n}@example.com", "wrong password")
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert "Try again in" in response.text


def test_an_odd_browser_name_is_stored_harmlessly(client, ayu):
    _try(client, ayu.email, PASSWORD, **{"User-Agent": "x\x01\x7f" + "y" * 1_000})
    (found,) = _sessions(ayu.user_id)
    assert found.user_agent == "x" + "y" * 299
