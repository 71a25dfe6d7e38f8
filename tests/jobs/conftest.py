"""Workers that die: the whole outside world, a cluster whose time is ours, and a nursery of worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from sandbox.kubernetes import write_kubeconfig
from sandbox.server import SandboxServer
from tests.instances.world import ClusterServer
from tests.jobs.life import Life
from tests.jobs.nursery import Nursery
from tests.outside import forget_settings, outside, outside_server, surroundings  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def dying_cluster() -> Iterator[ClusterServer]:
    server = ClusterServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def abroad(
    outside_server: SandboxServer,  # noqa: F811 - a fixture
    dying_cluster: ClusterServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The environment that leads a process to all of it."""
    kubeconfig = write_kubeconfig(tmp_path_factory.mktemp("jobs") / "kubeconfig", f"http://{dying_cluster.dial}")
    return surroundings(outside_server) | {
        "KUBECONFIG": str(kubeconfig),
        "PROVISION_CHECK_INTERVAL_S": "30",
        "APPS_PROBE_ADDRESS": dying_cluster.dial,
        "APPS_DOMAIN": "apps.test",
        "CLUSTER_CIDRS": "",
    }


@pytest.fixture(scope="session")
def nursery(app: Flask, abroad: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(Path(tmp_path_factory.mktemp("nursery")), abroad)
    yield nursery
    nursery.close()


@pytest.fixture
def life(
    portal: Flask,
    outside: SandboxServer,  # noqa: F811 - a fixture
    dying_cluster: ClusterServer,
    nursery: Nursery,
    abroad: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Life]:
    for name, value in abroad.items():
        monkeypatch.setenv(name, value)
    forget_settings()
    yield Life(portal, outside, dying_cluster.cluster, nursery)
    monkeypatch.undo()
    forget_settings()
