"""Forgotten passwords: one answer, one use, one hour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from portal.accounts import actions, passwords
from portal.accounts.errors import LinkSpent, SignInRefused
from portal.accounts.models import LinkPurpose, MailedLink, User, UserSession
from portal.core import clock
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]

NEW = "lima ekor kuda laut"


def _ask(client, email="ayu@example.com"):
    return client.post("/forgot", data={"email": email}, headers={"Accept-Language": "en"})


def _path(email="ayu@example.com"):
    return f"/reset/{mailbox.token(email, 'reset_password')}"


def _has(password):
    db.session.rollback()
    return passwords.matches(db.session().scalar(select(User.password_hash)), password)


def test_known_and_unknown_addresses_get_the_same_answer(client, ayu):
    known, unknown = _ask(client), _ask(client, "eka@example.com")
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace("ayu@", "eka@") == unknown.text
    assert mailbox.codes("ayu@example.com") == ["reset_password"]
    assert mailbox.codes("eka@example.com") == []


def test_a_closed_account_gets_no_link(client, ayu):
    with transaction() as session:
        session.execute(update(User).values(active=False))
    assert _ask(client).status_code == 200
    assert mailbox.codes(ayu.email) == []


@pytest.mark.parametrize("email", ["", "x", "ayu\x00@example.com", "a" * 10_000, "a@example.com\nBcc: b@example.com"])
def test_what_is_no_address_is_a_form_that_does_not_parse(client, email):
    assert _ask(client, email).status_code == 422


def test_the_mail_links_to_our_own_address_whatever_host_was_asked(client, ayu, drain):
    client.post("/forgot", data={"email": ayu.email}, headers={"Host": "evil.example"})
    secrets = db.session().execute(select(func.count()).select_from(MailedLink)).scalar_one()
    assert secrets == 1
    # The mail is worded by the worker from the public address of the settings: only the token is handed over.
    assert "evil" not in mailbox.token(ayu.email, "reset_password")


def test_opening_the_link_does_not_spend_it(client, ayu):
    _ask(client)
    assert [client.get(_path()).status_code for _ in range(3)] == [200, 200, 200]
    assert client.post(_path(), data={"password": NEW}).location == "/sign-in"
    assert _has(NEW)


def test_the_link_works_once(client, ayu):
    _ask(client)
    path = _path()
    client.post(path, data={"password": NEW})
    assert client.get(path).status_code == 410
    assert client.post(path, data={"password": PASSWORD}).status_code == 410
    assert _has(NEW)


def test_a_poor_password_leaves_the_link_good(client, ayu):
    _ask(client)
    assert client.post(_path(), data={"password": "ayu lestari"}).status_code == 422
    assert client.post(_path(), data={"password": NEW}).status_code == 303


def test_the_link_ends_after_an_hour(client, ayu):
    _ask(client)
    clock.advance(timedelta(hours=1))
    assert client.get(_path()).status_code == 410
    assert client.post(_path(), data={"password": NEW}).status_code == 410
    assert _has(PASSWORD)


def test_a_reset_signs_out_everywhere_and_tells_the_owner(client, ayu):
    phone = client.application.test_client()
    sign_in(phone, ayu.email)
    _ask(client)
    client.post(_path(), data={"password": NEW})
    assert phone.get("/profile").status_code == 303
    assert mailbox.codes(ayu.email) == ["reset_password", "password_changed"]
    sign_in(client, ayu.email, NEW)


def test_a_reset_spends_the_other_links_too(client, ayu):
    _ask(client)
    older = _path()
    clock.advance(timedelta(minutes=1))
    _ask(client)
    client.post(_path(), data={"password": NEW})
    assert client.post(older, data={"password": PASSWORD}).status_code == 410


def test_a_reset_proves_the_address(client, ayu):
    with transaction() as session:
        session.execute(update(User).values(email_verified_at=None))
    _ask(client)
    client.post(_path(), data={"password": NEW})
    assert db.session().scalar(select(User.email_verified_at)) is not None


def test_asking_is_limited_per_account(client, ayu):
    assert [_ask(client).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert len(mailbox.codes(ayu.email)) == 3


def test_asking_is_limited_per_caller(client):
    statuses = [_ask(client, f"user{n}@example.com").status_code for n in range(11)]
    assert statuses == [200] * 10 + [429]


def _in_parallel(app, work, count=4):
    def run(number):
        with app.app_context():
            try:
                return work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_link_used_by_several_at_once_sets_one_password(app, portal, ayu):
    with transaction() as session:
        _, token = actions.issue_link(session, ayu.user, LinkPurpose.RESET_PASSWORD, now=clock.now())

    def reset(number):
        try:
            with transaction() as session:
                actions.reset_password(session, token, password=f"{NEW} {number}", now=clock.now())
            return number
        except LinkSpent:
            return None

    (winner,) = [number for number in _in_parallel(app, reset) if number is not None]
    assert _has(f"{NEW} {winner}")


def test_two_links_used_at_once_set_one_password(app, portal, ayu):
    with transaction() as session:
        tokens = [actions.issue_link(session, ayu.user, LinkPurpose.RESET_PASSWORD, now=clock.now())[1] for _ in "12"]

    def reset(number):
        try:
            with transaction() as session:
                actions.reset_password(session, tokens[number], password=f"{NEW} {number}", now=clock.now())
            return number
        except LinkSpent:
            return None

    outcomes = [number for number in _in_parallel(app, reset, count=2) if number is not None]
    assert len(outcomes) == 1
    assert _has(f"{NEW} {outcomes[0]}")


def test_no_session_opened_with_the_old_password_outlives_a_reset(app, portal, ayu):
    """However sign-ins and a reset interleave, afterwards no live session stems from the old password."""
    from portal.accounts import sessions

    with transaction() as session:
        _, token = actions.issue_link(session, ayu.user, LinkPurpose.RESET_PASSWORD, now=clock.now())

    def act(number):
        try:
            with transaction() as session:
                if number == 1:
                    actions.reset_password(session, token, password=NEW, now=clock.now())
                    return
                user = actions.authenticate(session, email=ayu.email, password=PASSWORD, now=clock.now())
                sessions.start(session, user, remember=False, now=clock.now(), ip_address="", user_agent="")
        except SignInRefused:
            pass

    _in_parallel(app, act)
    live = select(func.count()).select_from(UserSession).where(UserSession.revoked_at.is_(None))
    assert db.session().scalar(live) == 0
