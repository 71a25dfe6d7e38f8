"""A shop with real apps."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.personas import ayu, budi, citra, dewi  # noqa: F401 - fixtures
from tests.subscriptions.shop import stock_catalog


@pytest.fixture
def shop(portal: Flask) -> None:
    """A few apps of portal/catalog/apps are for sale."""
    stock_catalog()
