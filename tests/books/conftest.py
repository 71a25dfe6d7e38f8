"""Books under test: every test here ends with the audit."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask

from tests.books import shop
from tests.books_audit import assert_books_are_clean
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.personas import Person, ayu  # noqa: F401 - fixtures


@pytest.fixture
def customer(portal: Flask) -> UUID:
    """One customer with an empty wallet."""
    return shop.open_customer()


@pytest.fixture
def clean_books(portal: Flask) -> Iterator[None]:
    """Whatever a test does, the audit finds nothing afterwards."""
    yield
    assert_books_are_clean()
