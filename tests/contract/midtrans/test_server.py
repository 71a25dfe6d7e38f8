"""The one sandbox process: everything under one address, on this machine alone."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.server import SandboxServer

from .conftest import Merchant, request_for


@pytest.fixture
def server(tmp_path: Path, merchant: Merchant) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, notification_url=merchant.url) as running:
        yield running


def test_every_part_answers_under_its_prefix(server: SandboxServer) -> None:
    index = requests.get(f"{server.url}/", timeout=5).text
    for path in ("/midtrans/ctl", "/kubernetes/ctl", "/mailbox/"):
        assert f'href="{path}"' in index
        assert requests.get(server.url + path, timeout=5).status_code == 200
    assert "snap-midtrans" in requests.get(f"{server.url}/midtrans/snap/snap.js", timeout=5).text


def test_payments_work_below_the_prefix(server: SandboxServer, merchant: Merchant) -> None:
    answer = requests.post(
        f"{server.url}/midtrans/snap/v1/transactions",
        json=request_for(),
        auth=(server.server_key, ""),
        timeout=5,
    )
    page = answer.json()["redirect_url"]
    assert page.startswith(f"{server.url}/midtrans/snap/v4/redirection/")
    assert 'action="/midtrans/snap/v4/redirection/' in requests.get(page, timeout=5).text
    server.midtrans.pay("shop-1")
    server.midtrans.drain()
    assert merchant.events == ["pending", "settlement"]


def test_mail_arrives_and_the_kubeconfig_leads_here(server: SandboxServer) -> None:
    with smtplib.SMTP("127.0.0.1", server.smtp_port, timeout=5) as connection:
        connection.sendmail("a@example.com", ["b@example.com"], "Subject: Hi\r\n\r\nHello")
    assert server.mailbox.wait_for("b@example.com").subject == "Hi"
    assert f"{server.url}/kubernetes" in server.kubeconfig.read_text()


def test_an_ingress_host_belongs_to_its_app(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve_app(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the app"]

    monkeypatch.setattr(server.cluster, "has_host", lambda host: host.split(":")[0] == "n8n.apps.test")
    monkeypatch.setattr(server.cluster, "serve_app", serve_app)
    headers = {"Host": f"n8n.apps.test:{server.url.rsplit(':', 1)[1]}"}
    assert requests.get(server.url, headers=headers, timeout=5).text == "the app"
    assert "Sandbox" in requests.get(server.url, timeout=5).text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", ""])
def test_other_machines_are_not_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        SandboxServer(tmp_path, host=host)


def test_the_command_starts_and_a_signal_ends_it_with_its_state_saved(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--port",
        "0",
        "--smtp-port",
        "0",
        "--data",
        str(tmp_path / "d"),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})
    assert running.stdout is not None
    assert running.stdout.readline().startswith("sandbox at http://127.0.0.1:")
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=15) == 0
    assert {"midtrans.json", "kubernetes.json", "kubeconfig.yaml"} <= {p.name for p in (tmp_path / "d").iterdir()}
