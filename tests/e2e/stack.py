"""The whole product running for real: engines, portal, worker and scheduler as processes, the world outside too.

Nothing here touches this process's own settings, so that the other suites of the same run notice nothing of it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from redis import Redis as RedisClient
from sqlalchemy.orm import Session

from portal import tables
from portal.books.audit import differences
from sandbox.engines import Postgres, Redis, die_with_parent
from sandbox.server import SandboxServer
from tests.outside import surroundings

__all__ = ["Stack", "tables", "until"]

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 90
STOPS_WITHIN_S = 3
LOOK_EVERY_S = 0.05
POD_START_S, POD_STOP_S = 0.5, 0.2


def until(holds: Callable[[], Any], what: str, *, within_s: float = 20) -> Any:
    """The first true answer of `holds`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(LOOK_EVERY_S)
    return answer


class Stack:
    """`with Stack(folder) as stack`: `.url` answers, `.sandbox` is in our hand; `.one` reads, `.change` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _start(self) -> None:
        postgres = self._open.enter_context(Postgres(self.folder / "pg", durable=False))
        redis = self._open.enter_context(Redis(self.folder / "redis", durable=False))
        self.url = f"http://127.0.0.1:{_free_port()}"
        hook = f"{self.url}/webhooks/midtrans"
        self.sandbox = self._open.enter_context(SandboxServer(self.folder / "sandbox", notification_url=hook))
        self.sandbox.cluster.start_s, self.sandbox.cluster.stop_s = POD_START_S, POD_STOP_S
        self.environment = self._environment(postgres.url, redis.url)
        self.redis = RedisClient.from_url(redis.url)
        self.engine = sa.create_engine(postgres.url, pool_pre_ping=True)
        self._open.callback(self.engine.dispose)
        self._open.callback(self.redis.close)
        self.run("-m", "sandbox.prepare", "db upgrade", "catalog sync")
        self._start_processes()
        until(self._is_ready, f"the portal is ready; see {self.folder}/*.log", within_s=READY_WITHIN_S)

    def _environment(self, database_url: str, redis_url: str) -> dict[str, str]:
        return (
            dict(os.environ)
            | surroundings(self.sandbox)
            | {
                "ENVIRONMENT": "test",
                "PUBLIC_URL": self.url,
                "BANK_ACCOUNTS": "BCA 1234567890 a.n. PT MinisPod Nusantara",
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "WEB_CONCURRENCY": "2",
                "WORKER_FORKS": os.environ.get("WORKER_FORKS", "0"),  # a fork per job takes longer than most jobs
                "CLUSTER_TIMEOUT_S": "5",
                "MIDTRANS_TIMEOUT_S": "5",
                "PROVISION_CHECK_INTERVAL_S": "1",
                "PYTHONUNBUFFERED": "1",
            }
        )

    def _start_processes(self) -> None:
        address = self.url.removeprefix("http://")
        processes: list[subprocess.Popen[bytes]] = []
        self._open.callback(_end, processes)
        for name, arguments in {
            "web": ("-m", "gunicorn", "--bind", address, "wsgi:app"),
            "worker": ("-m", "jobs.worker"),
            "scheduler": ("-m", "jobs.scheduler"),
        }.items():
            processes.append(self._process(name, arguments))

    def _process(self, name: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(signal.SIGTERM),
            )  # fmt: skip

    def run(self, *arguments: str) -> None:
        """Runs Python in the product's environment to its end, as an operator would."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _is_ready(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200 and self.redis.scard("rq:workers"))
        return False

    # -- in the tests' hands ------------------------------------------------------------------------

    def one(self, statement: str, **values: Any) -> Any:
        """The first value of the first row; None without a row."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.text(statement), values)

    def change(self, statement: str, **values: Any) -> None:
        """For setting a scene that pages cannot set."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def audit(self) -> list[str]:
        """What `flask books audit` finds, in one snapshot while work goes on."""
        snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with Session(snapshot) as session:
            return [str(difference) for difference in differences(session)]

    def calm(self) -> None:
        """No fault hangs anywhere, and nobody is over a limit: how each test finds the world."""
        self.sandbox.midtrans.heal()
        self.sandbox.cluster.clear_faults()
        self.sandbox.mail_server.heal()
        for key in self.redis.scan_iter("LIMITS*"):
            self.redis.delete(key)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """All at once and politely, then with their whole groups: nothing here is kept."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOPS_WITHIN_S
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
