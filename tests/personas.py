"""The people of our tests: Ayu owns, Budi shares, Citra is a stranger, Dewi administers.

A test module takes them by `pytest_plugins = ["tests.personas"]` and then names `ayu`, `budi`, `citra` or
`dewi` as fixtures: each is a `Person` whose rows are committed. `register_person` and `sign_in` are plain
functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import Portal
from portal.accounts.models import Customer, User

PASSWORD = "tujuh gajah menari di pasar"


class Browser(FlaskClient):
    """A test client whose every request has an app context of its own, as in production.

    Without it requests would share `flask.g` with the test, and with it who was signed in last.
    """

    def open(self, *arguments: Any, **keywords: Any) -> Any:
        with self.application.app_context():
            return super().open(*arguments, **keywords)


Portal.test_client_class = Browser


@dataclass(frozen=True)
class Person:
    """A registered person and the customer they own."""

    user: User
    customer: Customer

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def user_id(self) -> UUID:
        return self.user.id

    @property
    def customer_id(self) -> UUID:
        return self.customer.id


def register_person(
    name: str = "Ayu",
    email: str = "ayu@example.com",
    *,
    password: str = PASSWORD,
    language: str = "en",
    verified: bool = True,
    administrator: bool = False,
) -> tuple[User, Customer]:
    """Registers someone in a transaction of its own and returns the user and their customer."""
    from portal.accounts import actions, queries
    from portal.core import clock
    from portal.core.db import transaction

    now = clock.now()
    with transaction() as session:
        user = actions.register(
            session, name=name, email=email, password=password, phone=None, language=language, now=now
        )
        user.email_verified_at = now if verified else None
        if administrator:
            actions.make_administrator(session, user, now=now)
        customer = queries.customer_of(session, user.id)
        assert customer is not None
    return user, customer


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, *, remember: bool = False) -> FlaskClient:
    """Signs a test client in through the real form; fails when the portal refuses."""
    form = {"email": email, "password": password} | ({"remember": "y"} if remember else {})
    response = client.post("/sign-in", data=form)
    assert response.status_code == 303, response.get_data(as_text=True)[:2000]
    return client


@pytest.fixture
def ayu(portal: Flask) -> Person:
    return Person(*register_person("Ayu Lestari", "ayu@example.com"))


@pytest.fixture
def budi(portal: Flask) -> Person:
    return Person(*register_person("Budi Santoso", "budi@example.com"))


@pytest.fixture
def citra(portal: Flask) -> Person:
    return Person(*register_person("Citra Dewanti", "citra@example.com"))


@pytest.fixture
def dewi(portal: Flask) -> Person:
    return Person(*register_person("Dewi Anggraini", "dewi@example.com", administrator=True))
