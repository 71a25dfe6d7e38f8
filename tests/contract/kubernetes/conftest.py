"""One stand-in per test process on a free loopback port, emptied before each test, its clock moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sandbox.kubernetes import App, Cluster, create_app, make_loopback_server

from .replay import World


@pytest.fixture(scope="session")
def kubernetes_app() -> Iterator[tuple[App, str]]:
    app = create_app(is_manual=True, start_s=1.0, stop_s=3.0)
    server = make_loopback_server(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield app, f"http://127.0.0.1:{server.server_port}"
    app.close()
    server.shutdown()
    thread.join()


@pytest.fixture
def cluster(kubernetes_app: tuple[App, str]) -> Cluster:
    kubernetes_app[0].cluster.reset()
    return kubernetes_app[0].cluster


@pytest.fixture
def url(kubernetes_app: tuple[App, str]) -> str:
    return kubernetes_app[1]


@pytest.fixture
def world(cluster: Cluster, url: str) -> Iterator[World]:
    """A cluster with the namespace that the recordings use."""
    world = World(url, cluster)
    yield world
    world.session.close()
