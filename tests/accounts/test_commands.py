"""`flask accounts`."""

from __future__ import annotations

from portal.accounts import queries
from portal.core.db import db
from tests.personas import PASSWORD, sign_in

pytest_plugins = ["tests.personas"]


def _run(portal, *words, **options):
    db.session.rollback()
    return portal.test_cli_runner().invoke(args=["accounts", *words], **options)


def test_an_administrator_is_created_with_a_typed_password(portal, client):
    result = _run(portal, "create-administrator", "Eka@example.com", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    user = queries.user_by_email(db.session(), "eka@example.com")
    assert user is not None
    assert user.is_administrator
    assert user.email_verified_at is not None
    sign_in(client, "eka@example.com")


def test_the_password_may_come_from_the_environment(portal, monkeypatch):
    monkeypatch.setenv("FIRST_PASSWORD", PASSWORD)
    result = _run(portal, "create-administrator", "eka@example.com", "--password-env", "FIRST_PASSWORD")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output


def test_poor_passwords_and_bad_addresses_are_refused(portal, monkeypatch):
    monkeypatch.setenv("FIRST_PASSWORD", "password123")
    assert _run(portal, "create-administrator", "eka@example.com", "--password-env", "FIRST_PASSWORD").exit_code == 1
    monkeypatch.setenv("FIRST_PASSWORD", PASSWORD)
    assert _run(portal, "create-administrator", "eka", "--password-env", "FIRST_PASSWORD").exit_code == 1
    assert _run(portal, "create-administrator", "eka@example.com", "--password-env", "NOT_THERE").exit_code == 1


def test_an_existing_account_is_promoted_only_on_request(portal, monkeypatch, ayu):
    monkeypatch.setenv("FIRST_PASSWORD", PASSWORD)
    refused = _run(portal, "create-administrator", ayu.email, "--password-env", "FIRST_PASSWORD")
    assert refused.exit_code == 1
    assert _run(portal, "create-administrator", ayu.email, "--promote").exit_code == 0
    db.session.rollback()
    db.session().expire_all()
    user = queries.user_by_email(db.session(), ayu.email)
    assert user is not None
    assert user.is_administrator


def test_users_are_listed(portal, ayu, dewi):
    lines = _run(portal, "list").output.splitlines()
    assert "ayu@example.com" in lines[0]
    assert "ADMINISTRATOR" in lines[1]
