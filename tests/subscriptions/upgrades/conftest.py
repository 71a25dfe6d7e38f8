"""A shop whose n8n has three steps, an empty cluster that can grow volumes, and books that end whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from config import settings
from tests.books_audit import assert_books_are_clean
from tests.instances.conftest import cluster_server, cluster_settings  # noqa: F401 - fixtures
from tests.instances.world import ClusterServer
from tests.subscriptions.upgrades.stairs import Stairs, build


@pytest.fixture
def stairs(
    portal: Flask,
    cluster_settings: ClusterServer,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stairs]:
    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "expandable")
    monkeypatch.setenv("PROVISION_CHECK_INTERVAL_S", "10")
    settings.cache_clear()
    yield build(cluster_settings.cluster, cluster_settings.dial)
    assert_books_are_clean()
