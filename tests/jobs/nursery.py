"""Worker processes by the dozen: one process imports the portal once and forks a real worker for every life.

The test holds a `Nursery`; `python -m tests.jobs.nursery` is the other side. Each life is a process of its own with
its own connections to the real PostgreSQL and Redis, and it really is killed by SIGKILL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

QUEUES = ("urgent", "default")
"""Rendering PDFs is slow and moves nothing: these workers do not serve it."""


class Nursery:
    """Starts lives; every call waits until that life has ended."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._log = folder / "points"
        options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        environment = os.environ | environment | {"LOG_LEVEL": "ERROR"}
        self._process = subprocess.Popen([sys.executable, "-m", "tests.jobs.nursery"], env=environment, **options)

    def live(self, *, now: datetime, die_at: int | None = None) -> tuple[bool, list[str]]:
        """One worker works off the queues at that moment; returns whether it was killed, and the points it passed."""
        self._log.write_text("")
        order = {"now": now.isoformat(), "die_at": die_at, "log": str(self._log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        killed = self._process.stdout.readline().strip()
        assert killed in ("0", "9"), f"a worker ended with {killed or 'the nursery itself'}"
        return killed == "9", self._log.read_text().splitlines()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main() -> None:
    """Reads orders, forks a life for each, answers with the signal that ended it (0: none)."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    from jobs import instances, invoices, notices, payments, reactions, subscriptions  # noqa: F401 - before the fork
    from jobs.runner import application

    application()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status) * -1}\n")


def live(order: dict[str, Any]) -> None:
    """The worker process of `jobs.worker` without a fork of its own, until its queues are empty."""
    from redis import Redis
    from rq import Queue

    from config import settings
    from jobs.worker import QuickWorker
    from portal.core import clock
    from tests.jobs.dying import Points

    Points(order["log"], order["die_at"]).install()
    connection = Redis.from_url(settings().redis_url)
    queues = [Queue(name, connection=connection) for name in QUEUES]
    with clock.at(datetime.fromisoformat(order["now"])):
        QuickWorker(queues, connection=connection).work(burst=True, logging_level="CRITICAL")
    os._exit(0)


if __name__ == "__main__":
    main()
