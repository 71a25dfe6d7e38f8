"""One process for the whole outside world: payments, cluster, mail and names on one loopback port.

    python -m sandbox --port 8900 --data DIR --kubeconfig FILE

With `portal_url` and `agent_token` the agents of its nodes send heartbeats there.

In tests the class is a fixture: `SandboxServer(tmp_path, notification_url=...).start()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from flask import Flask, render_template_string
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import kubernetes, mailbox, midtrans, names
from .agents import Agents
from .kubernetes import Cluster
from .mailbox import Mailbox, MailServer
from .midtrans import Simulator
from .names import NameServer

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
SERVER_KEY, CLIENT_KEY = "SB-Mid-server-sandbox", "SB-Mid-client-sandbox"
NOTIFICATION_URL = "http://127.0.0.1:8000/webhooks/midtrans"
STOP_POLL_S = 0.05
StartResponse = Callable[..., Any]
DOORS = (
    ("/midtrans/ctl", "Rp", "Payments", "Pay, decline or expire an order, break things, move the clock."),
    ("/kubernetes/ctl", "K", "Cluster", "What runs in the Kubernetes stand-in, and how to make it fail."),
    ("/mailbox/", "@", "Mailbox", "Every mail that was sent, to whomever."),
    ("/names/", "D", "Name server", "The DNS records of customers' own domains, to set by hand."),
)


class SandboxServer:
    """Everything under one address. `data` keeps the state over restarts; ports of 0 mean any free one."""

    def __init__(
        self,
        data: str | Path,
        *,
        notification_url: str = NOTIFICATION_URL,
        host: str = "127.0.0.1",
        port: int = 0,
        smtp_port: int = 0,
        kubeconfig: str | Path | None = None,
        server_key: str = SERVER_KEY,
        client_key: str = CLIENT_KEY,
        seed: int = 0,
        nodes: int = 3,
        portal_url: str = "",
        agent_token: str = "",
        **midtrans_settings: Any,
    ) -> None:
        if host not in LOOPBACK_HOSTS:
            raise ValueError("the sandbox listens on this machine alone")
        folder = Path(data)
        folder.mkdir(parents=True, exist_ok=True)
        self.server_key, self.client_key = server_key, client_key
        self.kubeconfig = Path(kubeconfig) if kubeconfig else folder / "kubeconfig.yaml"
        self._midtrans_app = midtrans.create_app(
            server_key=server_key, client_key=client_key, notification_url=notification_url,
            state_file=folder / "midtrans.json", seed=seed, **midtrans_settings,
        )  # fmt: skip
        self._kubernetes_app = kubernetes.create_app(state_file=folder / "kubernetes.json", nodes=nodes)
        self._mailbox_app = mailbox.create_app(folder=folder / "mails", smtp_host=host, smtp_port=smtp_port)
        agents = Agents(self.cluster, portal_url=portal_url, token=agent_token, folder=folder / "agent")
        self._agents = agents if portal_url and agent_token else None
        self.names = NameServer(port, state_file=folder / "names.json")
        self._http = self._bind(host, port)
        self._thread = threading.Thread(target=self._serve, name="sandbox-http", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self._http.host}:{self._http.port}"

    @property
    def smtp_port(self) -> int:
        return self._mailbox_app.server.port

    @property
    def midtrans(self) -> Simulator:
        return self._midtrans_app.simulator

    @property
    def cluster(self) -> Cluster:
        return self._kubernetes_app.cluster

    @property
    def mailbox(self) -> Mailbox:
        return self._mailbox_app.mailbox

    @property
    def mail_server(self) -> MailServer:
        """The SMTP side with `inject` and `heal`."""
        return self._mailbox_app.server

    def start(self) -> Self:
        """Listen in the background and write the kubeconfig that leads here."""
        self._mailbox_app.server.start()
        self.names.start()
        self._thread.start()
        kubernetes.write_kubeconfig(self.kubeconfig, f"{self.url}/kubernetes")
        if self._agents is not None:
            self._agents.start(self.url)
        return self

    def stop(self) -> None:
        """Let go of ports, end background work, save the state."""
        if self._agents is not None:
            self._agents.stop()
        self.midtrans.stop()
        if self._thread.is_alive():
            self._http.shutdown()
        self._http.server_close()
        self._mailbox_app.server.stop()
        self.names.stop()
        self._kubernetes_app.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Loopback names see the sandbox; every other host is an app's, or 404 as from an ingress controller."""
        host = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
        if host not in LOOPBACK_HOSTS:
            return self.cluster.serve_app(environ, start_response)
        return self._mounted(environ, start_response)

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=STOP_POLL_S)

    def _bind(self, host: str, port: int) -> BaseWSGIServer:
        mounts: dict[str, Any] = {
            "/midtrans": self._midtrans_app,
            "/kubernetes": self._kubernetes_app,
            "/mailbox": self._mailbox_app,
            "/names": names.create_app(self.names),
        }
        self._mounted = DispatcherMiddleware(_index_app(), mounts)
        return make_server(host, port, self, threaded=True, request_handler=_QuietHandler)


class _QuietHandler(WSGIRequestHandler):
    """HTTP/1.1, so that a watch can stream in chunks; no line per request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _index_app() -> Flask:
    app = Flask("sandbox.index")
    app.add_url_rule("/", "index", lambda: render_template_string(_INDEX, doors=DOORS))
    return app


_INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/mailbox/assets/mailbox.css"></head><body>
<header><div class="wide"><h1>Sandbox</h1>
<p>The outside world, played on this machine. Nothing is real.</p></div></header>
<main class="wide"><ol class="mails">{% for path, sign, name, text in doors %}
<li><a href="{{ path }}"><span class="avatar" aria-hidden="true">{{ sign }}</span>
<span class="what"><strong>{{ name }}</strong><span class="quiet">{{ text }}</span></span></a></li>
{% endfor %}</ol></main></body></html>
"""
