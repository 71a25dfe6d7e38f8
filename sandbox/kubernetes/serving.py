"""Serving on the loopback, and nowhere else: there is no real login here."""

from __future__ import annotations

import ipaddress
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    """HTTP/1.1 without a line per request; what breaks is still told."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error" and "ConnectionAbortedError" not in message:
            super().log(type, message, *args)


def make_loopback_server(app: Any, port: int = 0, host: str = "127.0.0.1") -> BaseWSGIServer:
    """A threaded server, bound but not yet serving; port 0 takes a free one. ValueError for any other address."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the sandbox serves on the loopback only, not on {host}")
    return make_server(host, port, app, threaded=True, request_handler=QuietHandler)
