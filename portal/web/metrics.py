"""Prometheus metrics: requests by route and status, how long they took; money and queues are read on scrape."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess

registry = CollectorRegistry()
requests_total = Counter(
    "minispod_requests_total",
    "Requests by route and status.",
    ["route", "method", "status"],
    registry=registry,
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Counted by name. A caller may invent any other, and each name would be kept for ever."""
request_seconds = Histogram(
    "minispod_request_seconds", "Time to answer, in seconds, by route.", ["route"], registry=registry
)


def all_processes() -> CollectorRegistry:
    """The counters of every web process, when PROMETHEUS_MULTIPROC_DIR names their shared folder; else of this one."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return registry
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def register(app: Flask) -> None:
    """Counts and times every request but those for static files, which never come this far."""
    app.before_request(_start)
    app.after_request(_stop)


def _start() -> None:
    g.started_s = time.perf_counter()


def _stop(response: Response) -> Response:
    route = str(request.url_rule) if request.url_rule else "(none)"
    method = request.method if request.method in METHODS else "(other)"
    requests_total.labels(route, method, response.status_code).inc()
    if "started_s" in g:
        request_seconds.labels(route).observe(time.perf_counter() - g.started_s)
    return response
