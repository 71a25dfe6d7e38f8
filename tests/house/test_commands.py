"""`bin/run` end to end: what it starts, what it refuses, what it leaves behind, what it comes back with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((ROOT / ".env").exists(), reason=".env would bring settings of its own into these runs"),
]


def eventually(holds: Callable[[], bool], *, within_s: float, otherwise: Callable[[], str]) -> None:
    """Looks until it holds; fails with what `otherwise` says."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@dataclass
class Place:
    """A data folder and ports of their own, and the runs that were started there."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    runs: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        port, sandbox_port, smtp_port = map(str, self.ports)
        return kept | {
            "LOCAL_DIR": str(self.folder),
            "PORT": port,
            "SANDBOX_PORT": sandbox_port,
            "SANDBOX_SMTP_PORT": smtp_port,
            "WEB_CONCURRENCY": "1",
        }

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A start that is expected to end by itself."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )

    def start(self) -> subprocess.Popen[str]:
        """A start that is waited for until the portal is ready."""
        output = (self.folder / "output").open("w")
        run = subprocess.Popen(
            self.command(), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        self.runs.append(run)
        eventually(
            lambda: "Stop: Ctrl-C" in self.output or run.poll() is not None,
            within_s=START_TIMEOUT_S,
            otherwise=lambda: self.output,
        )
        assert run.poll() is None, self.output
        return run

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "sandbox.supervisor", *arguments]

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def processes(self) -> list[str]:
        """What still runs on behalf of this folder: every process of ours carries it in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("LOCAL_DIR") == str(self.folder)
                if mine and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
            except psutil.Error:
                continue
        return found

    def assert_nothing_left(self) -> None:
        eventually(lambda: not self.processes(), within_s=STOP_TIMEOUT_S, otherwise=lambda: "\n".join(self.processes()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("run"))
    yield place
    for run in place.runs:
        run.kill()
        run.wait()


@pytest.fixture(scope="module")
def running(place: Place) -> subprocess.Popen[str]:
    return place.start()


def test_a_start_is_ready_and_says_where_everything_is(place: Place, running: subprocess.Popen[str]) -> None:
    assert place.status("/readyz") == 200
    assert f"http://127.0.0.1:{place.ports[0]}/" in place.output
    for part in ("Payments", "Cluster", "Mail"):
        assert any(line.split()[:2] == [part, "sandbox"] for line in place.output.splitlines())
    assert "Sign in as" in place.output


def test_secrets_are_kept_for_the_owner_alone(place: Place, running: subprocess.Popen[str]) -> None:
    assert (place.folder / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_second_start_is_refused_in_one_line(place: Place, running: subprocess.Popen[str]) -> None:
    second = place.run()
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"bin/run: MinisPod is already running at http://127.0.0.1:{place.ports[0]} (pid {running.pid})."
    ]


def test_a_reset_is_refused_while_it_runs(place: Place, running: subprocess.Popen[str]) -> None:
    assert place.run("--reset", "--yes").returncode == 1
    assert (place.folder / "secrets.env").exists()


def workers_of(supervisor: subprocess.Popen[str]) -> list[psutil.Process]:
    """Worker processes that live; one that was killed and not yet reaped has no command line to read."""
    found = []
    for child in psutil.Process(supervisor.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one too
            if "jobs.worker" in child.cmdline():
                found.append(child)
    return found


def test_a_dead_worker_is_named_and_started_again(place: Place, running: subprocess.Popen[str]) -> None:
    [worker] = workers_of(running)
    worker.kill()
    eventually(
        lambda: "worker stopped (SIGKILL); starting it again" in place.output,
        within_s=20,
        otherwise=lambda: place.output,
    )
    eventually(
        lambda: bool(workers_of(running)),
        within_s=20,
        otherwise=lambda: place.output,
    )


def test_sigterm_leaves_no_process(place: Place, running: subprocess.Popen[str]) -> None:
    running.terminate()
    assert running.wait(STOP_TIMEOUT_S) == 0
    assert place.processes() == []


def test_sigkill_leaves_no_process_and_a_new_start_keeps_the_secrets(place: Place) -> None:
    secrets = (place.folder / "secrets.env").read_text()
    run = place.start()
    run.kill()
    run.wait()
    again = place.start()
    assert place.status("/readyz") == 200
    assert (place.folder / "secrets.env").read_text() == secrets
    again.send_signal(signal.SIGINT)
    assert again.wait(STOP_TIMEOUT_S) == 0
    place.assert_nothing_left()


@pytest.mark.parametrize(("taken", "variable"), [(0, "PORT"), (1, "SANDBOX_PORT"), (2, "SANDBOX_SMTP_PORT")])
def test_a_taken_port_is_named_in_one_line(tmp_path: Path, taken: int, variable: str) -> None:
    place = Place(tmp_path)
    with socket.create_server(("127.0.0.1", place.ports[taken])):
        refused = place.run()
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert f"Port {place.ports[taken]} is taken" in line
    assert f"{variable}=" in line


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PORT": "eighty"}, "PORT must be a number"),
        ({"MIDTRANS_SERVER_KEY": "SB-Mid-server-x"}, "MIDTRANS_CLIENT_KEY is missing"),
        ({"KUBECONFIG": "/nowhere"}, "KUBECONFIG names /nowhere"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL"),
    ],
)
def test_a_bad_setting_is_named_before_anything_starts(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    place = Place(tmp_path)
    refused = place.run(**variables)
    assert refused.returncode == 1
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "postgres").exists()


def test_the_lock_of_a_dead_run_is_free(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:8000"}))
    refused = Place(tmp_path).run(PORT="eighty")
    assert "already running" not in refused.stderr
