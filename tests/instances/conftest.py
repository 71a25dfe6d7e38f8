"""The stand-in cluster, one per test run, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from config import settings
from sandbox.kubernetes import write_kubeconfig
from tests.instances.world import ClusterServer, World, put_up_for_sale
from tests.personas import ayu, budi, citra, dewi  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def cluster_server() -> Iterator[ClusterServer]:
    server = ClusterServer()
    yield server
    server.stop()


@pytest.fixture
def cluster_settings(
    cluster_server: ClusterServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ClusterServer]:
    """The portal's settings point at an empty stand-in, through a kubeconfig as on a real cluster."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", f"http://{cluster_server.dial}")
    for name, value in {
        "KUBECONFIG": str(kubeconfig),
        "CLUSTER_TIMEOUT_S": "1",
        "PROVISION_CHECK_INTERVAL_S": "5",
        "APPS_PROBE_ADDRESS": cluster_server.dial,
        "APPS_PUBLIC_SCHEME": "http",
        "APPS_DOMAIN": "apps.test",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    cluster_server.cluster.reset()
    yield cluster_server
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def world(portal: Flask, cluster_settings: ClusterServer) -> World:
    return World(cluster_settings.cluster, put_up_for_sale(), cluster_settings.dial)
