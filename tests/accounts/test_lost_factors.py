"""What administrators and the operator do to somebody's way in: a lost second factor, sessions."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.accounts import administration, lost_factors, queries
from portal.accounts.errors import NotYourself, SecondFactorOff
from portal.accounts.models import RecoveryCode, User
from portal.accounts.views import letters
from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from tests.accounts import mailbox
from tests.accounts.authenticator import switched_on
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]


def _entry(action):
    db.session.rollback()
    return db.session().scalars(select(AuditEntry).where(AuditEntry.action == action)).all()


def _clear(person, by, reason="her phone was stolen"):
    with transaction() as session:
        user = lost_factors.clear_second_factor(
            session, person.user_id, actor=Actor(by.user_id, "203.0.113.5"), reason=reason, now=clock.now()
        )
        letters.tell_second_factor_cleared(session, user, now=clock.now())


def test_a_lost_second_factor_is_cleared_audited_and_told(client, ayu, dewi):
    sign_in(client, ayu.email)
    switched_on(client)
    _clear(ayu, dewi)
    (entry,) = _entry("user.second_factor_cleared")
    assert (entry.actor_id, entry.subject_id, entry.ip_address) == (dewi.user_id, str(ayu.user_id), "203.0.113.5")
    assert entry.facts == {
        "before": {"second_factor": True}, "after": {"second_factor": False}, "reason": "her phone was stolen",
    }  # fmt: skip
    assert mailbox.codes(ayu.email)[-1] == "second_factor_cleared"
    assert client.get("/security").status_code == 303
    assert db.session().query(RecoveryCode).count() == 0
    assert client.post("/sign-in", data={"email": ayu.email, "password": PASSWORD}).location == "/dashboard/"


def test_what_is_not_there_is_not_cleared(client, ayu, dewi):
    with pytest.raises(SecondFactorOff):
        _clear(ayu, dewi)
    assert _entry("user.second_factor_cleared") == []
    assert mailbox.codes(ayu.email) == []


def test_nobody_clears_their_own(client, dewi):
    switched_on(sign_in(client, dewi.email))
    with pytest.raises(NotYourself):
        _clear(dewi, dewi)
    db.session.rollback()
    assert db.session().scalar(select(User.second_factor_at).where(User.id == dewi.user_id))


def _run(portal, *words):
    db.session.rollback()
    return portal.test_cli_runner().invoke(args=["accounts", *words])


def test_the_operator_resets_it_from_the_shell(client, portal, ayu):
    sign_in(client, ayu.email)
    switched_on(client)
    result = _run(portal, "reset-second-factor", "AYU@example.com", "--reason", "ticket 12")
    assert result.exit_code == 0, result.output
    (entry,) = _entry("user.second_factor_cleared")
    assert (entry.actor_id, entry.facts["reason"], entry.facts["by"]) == (None, "ticket 12", "operator")
    assert mailbox.codes(ayu.email)[-1] == "second_factor_cleared"
    assert client.get("/security").status_code == 303


@pytest.mark.parametrize("email", ["ayu@example.com", "nobody@example.com", "no address"])
def test_the_operator_hears_when_there_is_nothing_to_reset(portal, ayu, email):
    assert _run(portal, "reset-second-factor", email).exit_code == 1
    assert _entry("user.second_factor_cleared") == []


def _end(person, by, session_id=None):
    with transaction() as session:
        return administration.end_sessions(
            session, person.user_id, actor=Actor(by.user_id), session_id=session_id, now=clock.now()
        )


def _listed(person):
    db.session.rollback()
    return queries.live_sessions(db.session(), person.user_id, now=clock.now())


def test_an_administrator_ends_all_sessions_of_a_user(client, portal, ayu, citra, dewi):
    browsers = [sign_in(portal.test_client(), ayu.email) for _ in range(2)]
    stranger = sign_in(client, citra.email)
    assert len(_listed(ayu)) == 2
    assert _end(ayu, dewi) == 2
    assert _listed(ayu) == []
    assert [browser.get("/security").status_code for browser in (*browsers, stranger)] == [303, 303, 200]
    (entry,) = _entry("user.sessions_ended")
    assert (entry.actor_id, entry.subject_id) == (dewi.user_id, str(ayu.user_id))
    assert entry.facts["ended"] == 2


def test_an_administrator_ends_one_session_of_a_user(portal, ayu, dewi):
    first, second = (sign_in(portal.test_client(), ayu.email) for _ in range(2))
    newest = max(_listed(ayu), key=lambda found: found.id)
    assert _end(ayu, dewi, newest.id) == 1
    assert [browser.get("/security").status_code for browser in (first, second)] == [200, 303]
    assert _entry("user.sessions_ended")[0].facts["session_id"] == str(newest.id)


def test_ending_twice_and_ending_somebody_elses_writes_nothing(portal, ayu, citra, dewi):
    sign_in(portal.test_client(), ayu.email)
    stranger = sign_in(portal.test_client(), citra.email)
    assert _end(ayu, dewi, _listed(citra)[0].id) == 0
    assert stranger.get("/security").status_code == 200
    assert _end(ayu, dewi) == 1
    assert _end(ayu, dewi) == 0
    assert len(_entry("user.sessions_ended")) == 1
