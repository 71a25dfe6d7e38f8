"""Changing the password, and ending sessions."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import event, select, update

from portal.accounts.models import User, UserSession
from portal.audit.models import AuditEntry
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]

NEW = "lima ekor kuda laut"
ENGLISH = {"Accept-Language": "en"}


def _another(client, person):
    return sign_in(client.application.test_client(), person.email)


def _session_of(person):
    db.session.rollback()
    statement = select(UserSession.id).where(UserSession.user_id == person.user_id, UserSession.revoked_at.is_(None))
    return db.session().scalars(statement.order_by(UserSession.id.desc()).limit(1)).one()


@pytest.mark.parametrize("path", ["/profile", "/security", "/profile/deactivation"])
def test_visitors_sign_in_first(client, path):
    assert client.get(path).location == f"/sign-in?next={path}"
    assert client.post(path).location.startswith("/sign-in")


def test_a_new_password_signs_out_every_other_device(client, ayu):
    sign_in(client, ayu.email)
    phone = _another(client, ayu)
    response = client.post("/security", data={"current": PASSWORD, "password": NEW})
    assert response.location == "/security"
    assert client.get("/security").status_code == 200
    assert phone.get("/security").status_code == 303
    assert mailbox.codes(ayu.email) == ["password_changed"]


def test_the_current_password_is_needed(client, ayu):
    sign_in(client, ayu.email)
    response = client.post("/security", data={"current": "wrong password", "password": NEW}, headers=ENGLISH)
    assert response.status_code == 422
    assert "This is not your current password." in response.text
    assert "wrong password" not in response.text
    sign_in(client.application.test_client(), ayu.email, PASSWORD)


def test_a_new_password_is_held_to_the_same_rules(client, ayu):
    sign_in(client, ayu.email)
    for poor in ("short", "password123", "my name is lestari", "x" * 10_000):
        assert client.post("/security", data={"current": PASSWORD, "password": poor}).status_code == 422


def test_guessing_the_current_password_is_limited(client, ayu):
    sign_in(client, ayu.email)
    form = {"current": "wrong password", "password": NEW}
    assert [client.post("/security", data=form).status_code for _ in range(11)] == [422] * 10 + [429]


def test_a_password_change_spends_links_of_the_old_one(client, ayu):
    client.post("/forgot", data={"email": ayu.email})
    path = f"/reset/{mailbox.token(ayu.email, 'reset_password')}"
    sign_in(client, ayu.email)
    client.post("/security", data={"current": PASSWORD, "password": NEW})
    assert client.get(path).status_code == 410


def test_sessions_are_listed_with_this_one_marked(client, ayu, citra):
    _another(client, citra)
    sign_in(client, ayu.email)
    _another(client, ayu)
    page = client.get("/security", headers=ENGLISH).text
    assert page.count("this device") == 1
    assert page.count("/revocation") == 2  # the other session's, and all others


def test_one_session_is_ended(client, ayu):
    sign_in(client, ayu.email)
    phone = _another(client, ayu)
    response = client.post(f"/security/sessions/{_session_of(ayu)}/revocation")
    assert response.location == "/security"
    assert phone.get("/security").status_code == 303
    assert client.get("/security").status_code == 200


def test_ending_a_session_twice_is_ending_it(client, ayu):
    sign_in(client, ayu.email)
    _another(client, ayu)
    path = f"/security/sessions/{_session_of(ayu)}/revocation"
    assert [client.post(path).status_code for _ in range(2)] == [303, 303]
    ended = db.session().scalars(select(AuditEntry).where(AuditEntry.action == "user.sessions_revoked")).all()
    assert len(ended) == 1


def test_a_stranger_ends_nobodys_session(client, ayu, citra):
    phone = _another(client, ayu)
    path = f"/security/sessions/{_session_of(ayu)}/revocation"
    assert client.post(path).status_code == 303
    sign_in(client, citra.email)
    assert client.post(path).status_code == 404
    assert client.post(f"/security/sessions/{uuid4()}/revocation").status_code == 404
    assert phone.get("/security").status_code == 200


def test_all_other_sessions_are_ended(client, ayu, citra):
    strangers = _another(client, citra)
    sign_in(client, ayu.email)
    others = [_another(client, ayu) for _ in range(2)]
    client.post("/security/sessions/revocation")
    assert [c.get("/security").status_code for c in (client, *others, strangers)] == [200, 303, 303, 200]


def test_the_profile_is_changed(client, ayu, session):
    sign_in(client, ayu.email)
    form = {"name": "Ayu  Wulandari", "phone": "0813 9999 0000", "language": "id"}
    assert client.post("/profile", data=form).location == "/profile"
    session.expire_all()
    user = session.get(User, ayu.user_id)
    assert (user.name, user.phone, user.language) == ("Ayu Wulandari", "+6281399990000", "id")
    assert "Ayu Wulandari" in client.get("/profile").text


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": "Ayu\x00"}, {"name": "a" * 10_000}, {"phone": "x"}, {"language": "xx"}, {"language": ""}],
)
def test_a_profile_that_does_not_parse_changes_nothing(client, ayu, session, change):
    sign_in(client, ayu.email)
    form = {"name": "Ayu", "phone": "", "language": "id"} | change
    assert client.post("/profile", data=form).status_code == 422
    session.expire_all()
    assert session.get(User, ayu.user_id).name == "Ayu Lestari"


def test_nobody_gives_themselves_a_role_or_an_address(client, citra, session):
    sign_in(client, citra.email)
    form = {"name": "Citra", "language": "id", "role": "ADMINISTRATOR", "email": "x@example.com", "active": "0"}
    client.post("/profile", data=form)
    session.expire_all()
    user = session.get(User, citra.user_id)
    assert (user.role, user.email, user.active) == ("USER", "citra@example.com", True)


def test_the_page_is_in_the_users_own_language(client, ayu):
    with transaction() as session:
        session.execute(update(User).values(language="id"))
    sign_in(client, ayu.email)
    assert '<html lang="id"' in client.get("/profile", headers=ENGLISH).text


@pytest.mark.parametrize("path", ["/profile", "/security", "/profile/deactivation"])
def test_a_signed_in_page_costs_at_most_six_queries(client, ayu, path):
    sign_in(client, ayu.email)
    for _ in range(3):
        _another(client, ayu)
    client.get(path)
    statements = []
    listen = lambda *arguments: statements.append(arguments[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        assert client.get(path).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    assert len(statements) <= 6, statements
