"""The stand-in cluster with three nodes, and apps that run on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.instances.conftest import cluster_server, cluster_settings  # noqa: F401 - fixtures
from tests.instances.world import ClusterServer, World, put_up_for_sale
from tests.personas import ayu, budi, citra, dewi  # noqa: F401 - fixtures


@pytest.fixture
def world(portal, cluster_settings: ClusterServer) -> Iterator[World]:  # noqa: F811
    cluster = cluster_settings.cluster
    cluster.node_count = 3
    cluster.reset()
    yield World(cluster, put_up_for_sale(), cluster_settings.dial)
    cluster.node_count = 1
