"""The outside world for tests: the sandbox over real HTTP, emptied before each test, its time the portal's own.

A test module takes it by `from tests.outside import outside, outside_server` in its conftest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from config import settings
from portal.core import clock
from portal.payments.registry import gateway_named
from sandbox.server import SandboxServer

NOBODY = "http://127.0.0.1:9/webhooks/midtrans"
"""Where notifications go when a test takes them from the simulator's hand instead: nobody listens there."""


@pytest.fixture(scope="session")
def outside_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """One sandbox per test process."""
    with SandboxServer(Path(tmp_path_factory.mktemp("sandbox")), notification_url=NOBODY) as server:
        yield server


@pytest.fixture
def outside(portal: Flask, outside_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The portal's settings point at an empty sandbox that shares its clock."""
    for name, value in surroundings(outside_server).items():
        monkeypatch.setenv(name, value)
    forget_settings()
    reset(outside_server)
    yield outside_server
    monkeypatch.undo()
    forget_settings()


def surroundings(server: SandboxServer) -> dict[str, str]:
    """The environment that leads the portal to a sandbox."""
    port = server.url.rpartition(":")[2]
    return {
        "MIDTRANS_SERVER_KEY": server.server_key,
        "MIDTRANS_CLIENT_KEY": server.client_key,
        "MIDTRANS_CORE_URL": f"{server.url}/midtrans",
        "MIDTRANS_SNAP_URL": f"{server.url}/midtrans/snap/v1",
        "MIDTRANS_SNAP_JS_URL": f"{server.url}/midtrans/snap/snap.js",
        "MIDTRANS_TIMEOUT_S": "2",
        "RECONCILE_CALLS_PER_S": "0",
        "KUBECONFIG": str(server.kubeconfig),
        "CLUSTER_STORAGE_CLASS": "expandable",
        "CLUSTER_TIMEOUT_S": "2",
        "SMTP_URL": f"smtp://127.0.0.1:{server.smtp_port}",
        "APPS_DOMAIN": "apps.localhost",
        "APPS_PUBLIC_SCHEME": "http",
        "APPS_PUBLIC_PORT": port,
        "APPS_PROBE_ADDRESS": f"127.0.0.1:{port}",
        "DNS_RESOLVERS": server.names.place,
    }


def reset(server: SandboxServer) -> None:
    """Forgets orders, objects, mails and faults; the gateway's clock stands where the portal's does."""
    server.midtrans.reset()
    server.midtrans.freeze()
    server.midtrans.clock.set(clock.now())
    server.cluster.clear_faults()
    server.cluster.reset()
    server.mailbox.clear()
    server.names.clear()
    server.mail_server.heal()


def forget_settings() -> None:
    """The next reader of settings and gateways sees the environment as it is now."""
    settings.cache_clear()
    gateway_named.cache_clear()
