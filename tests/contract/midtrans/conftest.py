"""A simulator on a free port, a merchant's server that receives its notifications, and real clients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import midtransclient
import pytest
from midtransclient import config
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.midtrans import Simulator, create_app
from tests.browser import browser_type_launch_args

__all__ = ["browser_type_launch_args"]

SERVER_KEY, CLIENT_KEY = "SB-Mid-server-test", "SB-Mid-client-test"
Wsgi = Callable[..., Any]


class Served:
    """A WSGI application on a free loopback port."""

    def __init__(self, app: Wsgi) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Merchant:
    """The receiving end: keeps every request, answers what `replies` says next (then 200)."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, str]] = []
        self.replies: list[Response] = []
        self.on_notice: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Wsgi) -> Any:
        request = Request(environ)
        self.on_notice()
        with self._lock:
            self.requests.append((request.method, request.path))
            self.bodies.append(request.get_data())
            if request.is_json and (body := request.get_json(silent=True)) is not None:
                self.received.append(body)
            reply = self.replies.pop(0) if self.replies else Response("ok")
        return reply(environ, start_response)

    def will_reply(self, *codes: int, location: str = "") -> None:
        """The next answers; a location goes with every redirect."""
        self.replies += [Response("", code, {"Location": location} if location else {}) for code in codes]

    @property
    def events(self) -> list[str]:
        return [message["transaction_status"] for message in self.received]


class LocalConfig(config.ApiConfig):
    """The library's own way to another address."""

    base_url = ""

    def get_core_api_base_url(self) -> str:
        return self.base_url

    def get_snap_base_url(self) -> str:
        return f"{self.base_url}/snap/v1"


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    receiver = Merchant()
    served = Served(receiver)
    receiver.url = f"{served.url}/hook"
    yield receiver
    served.close()


@pytest.fixture
def sandbox_app(merchant: Merchant) -> Iterator[Any]:
    app = create_app(
        server_key=SERVER_KEY, client_key=CLIENT_KEY, notification_url=merchant.url, seed=7,
        delivery_timeout_s=5.0,
    )  # fmt: skip
    app.simulator.freeze()
    yield app
    app.simulator.stop()


@pytest.fixture
def gateway(sandbox_app: Any) -> Simulator:
    """The simulator with its clock frozen: time passes when a test says so."""
    return sandbox_app.simulator


@pytest.fixture
def address(sandbox_app: Any) -> Iterator[str]:
    served = Served(sandbox_app)
    yield served.url
    served.close()


@pytest.fixture
def snap(address: str) -> midtransclient.Snap:
    """The unmodified client library, pointed at the simulator."""
    local = LocalConfig(server_key=SERVER_KEY, client_key=CLIENT_KEY, custom_headers={}, proxies={})
    local.base_url = address
    client = midtransclient.Snap(server_key=SERVER_KEY, client_key=CLIENT_KEY)
    client.api_config = local
    return client


@pytest.fixture
def order(gateway: Simulator) -> Callable[..., str]:
    """Creates an order and returns its id."""
    return lambda order_id="shop-1", amount=50000, **more: (
        gateway.create_order(request_for(order_id, amount, **more)).order_id
    )


def request_for(order_id: str = "shop-1", amount: int = 50000, **more: Any) -> dict[str, Any]:
    return {"transaction_details": {"order_id": order_id, "gross_amount": amount}} | more
