"""A portal that takes bank transfers, and its books audited after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from config import settings
from portal.core.db import db
from tests.books_audit import assert_books_are_clean
from tests.personas import Person, ayu, budi, citra, dewi, register_person  # noqa: F401 - fixtures
from tests.transfers.desk import Desk

ACCOUNTS = "BCA 1234567890 a.n. PT MinisPod Nusantara; Mandiri 131-00-1234567-8 a.n. PT MinisPod Nusantara"


@pytest.fixture(autouse=True)
def accounts(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Transfers are offered while a test runs."""
    monkeypatch.setenv("BANK_ACCOUNTS", ACCOUNTS)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture(autouse=True)
def audited(portal: Flask, accounts: None) -> Iterator[None]:
    """Whatever happens, the books stay clean."""
    yield
    assert_books_are_clean()


@pytest.fixture
def eka(portal: Flask) -> Person:
    """A second administrator."""
    person = Person(*register_person("Eka Putri", "eka@example.com", administrator=True))
    db.session.close()  # a refusal rolls back, and would make what is still attached forget itself
    return person


@pytest.fixture
def desk(ayu: Person, dewi: Person) -> Desk:  # noqa: F811 - fixtures
    """Where Ayu's transfers are checked, by Dewi unless somebody else is named."""
    db.session.close()
    return Desk(ayu, dewi)
