"""A shop with real apps."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask import Flask

from tests.personas import Person, ayu, budi, citra, dewi  # noqa: F401 - fixtures
from tests.subscriptions.owned import Owner, running
from tests.subscriptions.shop import stock_catalog


@pytest.fixture
def shop(portal: Flask) -> None:
    """A few apps of portal/catalog/apps are for sale."""
    stock_catalog()


@pytest.fixture
def owner(ayu: Person) -> Owner:  # noqa: F811
    """Ayu, who owns."""
    return Owner(ayu.customer_id, ayu.email)


@pytest.fixture
def stranger(citra: Person) -> Owner:  # noqa: F811
    """Citra, who has nothing here."""
    return Owner(citra.customer_id, citra.email)


@pytest.fixture
def n8n(shop: None, owner: Owner) -> UUID:
    """The owner's n8n, bought at noon of 10 March for a month and running."""
    return running(owner, "n8n")
