"""Worker processes by the dozen: one process learns the portal once and forks every worker that is to die.

The test holds a `Nursery`; `python -m tests.jobs.nursery` is the other side. A worker that is to die is a process of
its own with its own connections to the real PostgreSQL and Redis, and it really is killed by SIGKILL. Those who come
after it work in the nursery's own process, which so has every import and every compiled statement ready for the next.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from redis import Redis
from rq import Queue

from config import settings
from jobs.worker import QuickWorker
from portal.core import clock
from portal.core.db import db
from portal.payments.registry import gateway_named
from portal.provisioning.connection import connect
from tests.jobs.dying import Point, Points

QUEUES = ("urgent", "default")
"""Rendering PDFs is slow and moves nothing: these workers do not serve it."""


class ShortLived(QuickWorker):
    """Lives too short for a command to reach it: it listens for none, which would take up to a second to stop."""

    def subscribe(self) -> None: ...
    def unsubscribe(self) -> None: ...


class Nursery:
    """Starts lives; every call waits until that life has ended."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._log = folder / "points"
        options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        environment = os.environ | environment | {"LOG_LEVEL": "ERROR"}
        self._process = subprocess.Popen([sys.executable, "-m", "tests.jobs.nursery"], env=environment, **options)

    def live(self, *, now: datetime, die_at: int | None = None) -> tuple[bool, list[Point]]:
        """One worker works off the queues at that moment; returns whether it was killed, and the points it passed."""
        self._log.write_text("")
        order = {"now": now.isoformat(), "die_at": die_at, "log": str(self._log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        killed = self._process.stdout.readline().strip()
        assert killed in ("0", "9"), f"a worker ended with {killed or 'the nursery itself'}"
        return killed == "9", [Point(*line.split("\t")) for line in self._log.read_text().splitlines()]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main() -> None:
    """Reads orders, forks a life for each, answers with the signal that ended it (0: none)."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    from jobs.runner import application

    points = Points()
    points.install()
    app = application()
    for line in sys.stdin:
        order = json.loads(line)
        points.begin(order["log"], order["die_at"])
        answers.write(f"{_live(order, app) if order['die_at'] is None else _fork(order, app)}\n")


def _fork(order: dict[str, Any], app: Flask) -> int:
    """The worker in a process of its own; returns the signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        os._exit(_live(order, app))
    return -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _live(order: dict[str, Any], app: Flask) -> int:
    """The worker of `jobs.worker` without forks of its own, until its queues are empty; leaves no connection open."""
    connection = Redis.from_url(settings().redis_url)
    queues = [Queue(name, connection=connection) for name in QUEUES]
    with clock.at(datetime.fromisoformat(order["now"])):
        ShortLived(queues, connection=connection).work(burst=True, logging_level="CRITICAL")
    with app.app_context():
        db.engine.dispose()
    connection.close()
    app.extensions["redis"].connection_pool.disconnect()
    gateway_named.cache_clear()
    connect.cache_clear()
    return 0


if __name__ == "__main__":
    main()
