"""The load generator in Python: threads with one kept connection each, in a process apart from what is measured.

    python -m bench.callers '{"url": …, "seconds": 5, "per_second": 100, …}'

With `per_second` the moments of sending are fixed beforehand and latency counts from them, so that a slow answer
cannot hide the ones behind it; with 0 each thread asks again as soon as it was answered.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

OFFERING_CONNECTIONS = 32
"""Enough that a request is sent when it is due, even while many are slow."""


@dataclass
class Tally:
    """Answers of all threads; `append` is atomic."""

    latencies_s: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


def main() -> None:
    """Runs the task of the command line and prints its figures as JSON."""
    task = json.loads(sys.argv[1])
    tally, began = Tally(), time.perf_counter() + 0.2
    due = _due_moments(task, began)
    bodies = iter(Path(task["bodies"]).read_text().splitlines()) if task["bodies"] else None
    lock = threading.Lock()
    count = OFFERING_CONNECTIONS if task["per_second"] else task["connections"]
    threads = [threading.Thread(target=_call, args=(task, due, bodies, lock, tally)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(_figures(tally, time.perf_counter() - began)))


def _due_moments(task: dict[str, Any], began: float) -> Iterator[float | None]:
    """When each request is to be sent; None means now, until the time is over."""
    if task["per_second"]:
        yield from (began + n / task["per_second"] for n in range(int(task["per_second"] * task["seconds"])))
    else:
        yield from itertools.takewhile(lambda _: time.perf_counter() < began + task["seconds"], itertools.repeat(None))


def _call(
    task: dict[str, Any],
    due: Iterator[float | None],
    bodies: Iterator[str] | None,
    lock: threading.Lock,
    tally: Tally,
) -> None:
    parts = urlsplit(task["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    method, headers = ("POST", {"Content-Type": "application/json"}) if bodies else ("GET", {})
    while True:
        with lock:
            try:
                moment, body = next(due), next(bodies) if bodies else None
            except StopIteration:
                return
        if moment is not None:
            time.sleep(max(0.0, moment - time.perf_counter()))
        began = moment or time.perf_counter()
        connection.request(method, parts.path or "/", body, {**headers, **task["headers"]})
        answer = connection.getresponse()
        answer.read()
        tally.latencies_s.append(time.perf_counter() - began)
        if answer.status >= 300:
            tally.refused.append(answer.status)


def _figures(tally: Tally, elapsed_s: float) -> dict[str, float]:
    cuts = quantiles(tally.latencies_s, n=100, method="inclusive")
    return {
        "per_second": (len(tally.latencies_s) - len(tally.refused)) / elapsed_s,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "refused": len(tally.refused),
    }


if __name__ == "__main__":
    main()
