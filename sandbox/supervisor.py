"""`bin/run`: every part of MinisPod under one roof. Ctrl-C or SIGTERM ends them all, in order.

Engines, then the sandbox, then schema, catalog and demo data, then web, worker and scheduler; ready when
`GET /readyz` answers 200. DATABASE_URL, REDIS_URL, MIDTRANS_SERVER_KEY with MIDTRANS_CLIENT_KEY, KUBECONFIG
and SMTP_URL, from the environment or `.env`, each replace a part that is otherwise provided here.

    python -m sandbox.supervisor [--reset] [--yes]
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil

from sandbox.children import Child, Console, likely_cause
from sandbox.engines import Engine, EngineError, Postgres, Redis, die_with_parent
from sandbox.pdf import command_that_brings_pdf
from sandbox.surroundings import ROOT, Lock, Refusal, Surroundings, address_without_password

SILENT_S_MAX = 90  # a slow machine may take its time until the first answer
UNREADY_S_MAX = 15  # but who answers is ready soon after
GRACE_S = {"web": 12.0, "worker": 20.0, "scheduler": 5.0, "sandbox": 5.0}
RESTART_PAUSE_S_MAX = 30
STEADY_S = 60  # a child that lived this long starts its next life without a pause
DATA = ("postgres", "redis", "sandbox", "log", "secrets.env")

_PR_SET_CHILD_SUBREAPER = 36


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP reached us."""


class Run:
    """One life of everything."""

    def __init__(self, around: Surroundings, console: Console) -> None:
        self.around, self.console = around, console
        self.hurry = threading.Event()
        self.stopping = False
        self.engines: list[Engine] = []
        self.children: dict[str, Child] = {}
        self.restarts: dict[str, int] = {}
        self.restart_at_s: dict[str, float] = {}
        self.accounts: list[list[str]] = []
        self.started_at_s = time.monotonic()

    def everything(self) -> None:
        """Start, say so, watch; leaves only by an exception."""
        self.around.keep_secrets()
        (self.around.local / "log").mkdir(exist_ok=True)
        self._check_settings()
        database_url, redis_url = self._start_engines()
        self.env = self.around.variables(database_url=database_url, redis_url=redis_url)
        if self.around.sandboxed:
            self._start_child("sandbox")
        self._prepare()
        if self.around.sandboxed:
            self._await_sandbox()
        with self._step("web, worker and scheduler"):
            for name in ("web", "worker", "scheduler"):
                self._start_child(name)
            self._await_ready()
        self._summarise()
        self.console.open()
        self._watch()

    # --- starting --------------------------------------------------------------------------------------

    def _start_engines(self) -> tuple[str, str]:
        given, local = self.around.given, self.around.local
        urls = []
        for variable, kind, folder in (("DATABASE_URL", Postgres, "postgres"), ("REDIS_URL", Redis, "redis")):
            if variable in given:
                urls.append(given[variable])
                continue
            engine = kind(local / folder, log=local / "log" / f"{folder}.log")
            with self._step(engine.name):
                self.engines.append(engine)
                urls.append(engine.start())
        return urls[0], urls[1]

    def _check_settings(self) -> None:
        """Ask the portal's own settings, before anything is started; they name each bad variable."""
        from config import load

        os.environ.update(self.around.variables(database_url="postgresql://localhost/x", redis_url="redis://localhost"))
        load()

    def _prepare(self) -> None:
        """Bring schema, catalog and demo accounts up to date."""
        commands = ["db upgrade", "catalog sync"]
        if self.env["ENVIRONMENT"] != "production":
            commands.append("demo seed")
        with self._step("schema, catalog, accounts"):
            done = subprocess.run(
                [sys.executable, "-m", "sandbox.prepare", *commands],
                env=self.env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
            log = self.around.local / "log" / "prepare.log"
            log.write_text(done.stdout + done.stderr)
            if done.returncode:
                reason = likely_cause((done.stderr or done.stdout).splitlines())
                raise Refusal(f"The portal could not be prepared: {reason} (see {log})")
        rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
        self.accounts = [row for row in rows if len(row) == 3 and "@" in row[1]]

    def _start_child(self, name: str) -> None:
        child = self.children.get(name)
        if child is None:
            extra = {"TZ": "Asia/Jakarta"} if name == "scheduler" else {}
            child = self.children[name] = Child(
                name,
                self._command(name),
                env=self.env | extra,
                cwd=ROOT,
                log_dir=self.around.local / "log",
                console=self.console,
                grace_s=GRACE_S[name],
            )
        child.start()

    def _command(self, name: str) -> list[str]:
        around, module = self.around, [sys.executable, "-m"]
        if name == "web":
            return [*module, "gunicorn", "wsgi:app", f"--bind={around.host}:{around.port}"]
        if name == "sandbox":
            keys = [f"--{side}-key={around.kept[f'SANDBOX_{side.upper()}_KEY']}" for side in ("server", "client")]
            return [
                *(*module, "sandbox", f"--port={around.sandbox_port}", f"--smtp-port={around.smtp_port}", *keys),
                f"--notification-url=http://127.0.0.1:{around.port}/webhooks/midtrans",
                f"--portal-url=http://127.0.0.1:{around.port}",
                f"--data={around.local / 'sandbox'}",
                f"--kubeconfig={around.kubeconfig}",
            ]
        return [*module, f"jobs.{name}"]

    def _await_sandbox(self) -> None:
        url = f"http://127.0.0.1:{self.around.sandbox_port}/"
        with self._step("sandbox"):
            self._await("sandbox", url, lambda: self.around.real_cluster or self.around.kubeconfig.exists())

    def _await_ready(self) -> None:
        host = "127.0.0.1" if self.around.host in ("0.0.0.0", "::") else self.around.host
        self._await("web", f"http://{host}:{self.around.port}/readyz", lambda: True)

    def _await(self, name: str, url: str, holds: Callable[[], bool]) -> None:
        """Wait for 200 from `url`. A refusal says why not: the child's last words, or what it answers."""
        child, deadline = self.children[name], time.monotonic() + SILENT_S_MAX
        answered = False
        while True:
            status, text = _ask(url)
            if status == 200 and holds():
                return
            if child.ended:
                time.sleep(0.2)  # its last lines are still on their way through the pipe
                raise Refusal(f"{name} stopped ({child.how_it_ended}): {child.last_words} (see {child.log})")
            if status and not answered:
                answered, deadline = True, min(deadline, time.monotonic() + UNREADY_S_MAX)
            if time.monotonic() > deadline:
                raise Refusal(f"{name} is not ready: {text.strip() or child.last_words} (see {child.log})")
            time.sleep(0.1)

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.console.say(f"  {self.console.paint('✓', 32)} {title:<28}{self.console.dim(_seconds(begun))}")

    # --- telling ---------------------------------------------------------------------------------------

    def _summarise(self) -> None:
        say, bold, dim = self.console.say, self.console.bold, self.console.dim
        say()
        say(f"  {bold('MinisPod is ready')}  {dim(_seconds(self.started_at_s))}")
        say()
        for part, which, where in self._parts():
            say(f"  {part:<11}{which:<10}{where}".rstrip())
        if self.accounts:
            say()
            say(f"  {bold('Sign in as')}")
            width = max(len(email) for _, email, _ in self.accounts)
            for role, email, password in self.accounts:
                say(f"  {role:<21}{email:<{width}}   {password}")
        say()
        say(f"  {dim(f'Data and logs: {_short(self.around.local)}   Stop: Ctrl-C   Afresh: bin/run --reset')}")
        say()

    def _parts(self) -> Iterator[tuple[str, str, str]]:
        around, given = self.around, self.around.given
        engines = {type(engine): f"{engine.name} {engine.version}" for engine in self.engines}
        live = given.get("MIDTRANS_IS_PRODUCTION", "").lower() in ("1", "true", "yes", "on")
        yield "Portal", "", around.url + "/"
        if around.real_payments:
            yield "Payments", "real", "Midtrans, live money" if live else "Midtrans, its own sandbox"
        else:
            yield "Payments", "sandbox", f"{around.sandbox_url}/midtrans/ctl"
        if around.real_cluster:
            yield "Cluster", "real", given.get("KUBECONFIG", "from KUBECONFIG_DATA")
        else:
            yield "Cluster", "sandbox", f"{around.sandbox_url}/kubernetes/ctl"
        if around.real_mail:
            yield "Mail", "real", address_without_password(given["SMTP_URL"])
        else:
            yield "Mail", "sandbox", f"{around.sandbox_url}/mailbox/"
        for part, variable, kind in (("Database", "DATABASE_URL", Postgres), ("Queue", "REDIS_URL", Redis)):
            if variable in given:
                yield part, "real", address_without_password(given[variable])
            else:
                yield part, "embedded", engines[kind]
        brings_pdf = command_that_brings_pdf()
        yield "Documents", "no PDF" if brings_pdf else "PDF", brings_pdf

    # --- watching --------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Say in one line what died, and start it again after a pause that grows."""
        while True:
            time.sleep(0.5)
            for engine in self.engines:
                if engine.process is not None and engine.process.poll() is not None:
                    self.console.line("bin/run", f"{engine.name} stopped; starting it again")
                    engine.process = None
                    engine.start()
            for name, child in self.children.items():
                if child.ended:
                    self._plan_restart(name, child)
                elif child.process is None and time.monotonic() >= self.restart_at_s[name]:
                    self._start_child(name)

    def _plan_restart(self, name: str, child: Child) -> None:
        how = child.how_it_ended
        steady = time.monotonic() - child.started_at_s > STEADY_S
        self.restarts[name] = 0 if steady else self.restarts.get(name, 0) + 1
        pause_s = min(2 ** self.restarts[name] - 1, RESTART_PAUSE_S_MAX)
        if name == "web" and self.restarts[name] > 3:
            raise Refusal(f"web stopped again and again ({how}); see {child.log}")
        child.stop(hurry=self.hurry)
        self.restart_at_s[name] = time.monotonic() + pause_s
        self.console.line("bin/run", f"{name} stopped ({how}); starting it again in {pause_s} s")

    # --- stopping --------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Web first, so that nothing new comes in; then the worker with time to finish; engines last."""
        self.stopping = True
        for name in ("web", "worker", "scheduler", "sandbox"):
            if child := self.children.get(name):
                child.stop(hurry=self.hurry)
        for engine in reversed(self.engines):
            engine.stop()
        _end_descendants()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first signal stops in order, the second without waiting."""
        if self.stopping:
            self.hurry.set()
            return
        self.stopping = True
        raise Stopped


def main() -> int:
    """Exit status 0 after an ordered stop, 1 after a refusal."""
    arguments = _arguments()
    console = Console()
    try:
        around = Surroundings.read()
        lock = Lock(around.local / "run.lock")
    except Refusal as refusal:
        return _refuse(console, refusal)
    run = Run(around, console)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, run.on_signal)
    _adopt_orphans()
    status = 0
    try:
        if arguments.reset and not _reset(around, ask=not arguments.yes):
            return 1
        around.check_ports(patiently=not lock.ended_in_order)
        lock.write(url=around.url)
        run.everything()
    except Stopped:
        console.say(f"\n  {console.dim('Stopping …')}")
    except (Refusal, EngineError) as refusal:
        status = _refuse(console, refusal)
    except SystemExit as bad_settings:
        status = _refuse(console, bad_settings)
    finally:
        run.stop()
        lock.release()
    if status == 0:
        console.say(f"  {console.dim('Stopped; the data is kept.')}")
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/run",
        description="Start MinisPod with everything it needs, on this machine alone.",
        epilog="PORT (8000), SANDBOX_PORT (8900), HOST (127.0.0.1) and LOCAL_DIR (.local) are read from the "
        "environment or .env, as are the addresses of real services: see .env.example.",
    )
    parser.add_argument("--reset", action="store_true", help="remove all local data first")
    parser.add_argument("--yes", action="store_true", help="do not ask before --reset")
    return parser.parse_args()


def _reset(around: Surroundings, *, ask: bool) -> bool:
    """Remove what earlier runs kept. Asks on a terminal; a script that says --reset means it."""
    if ask and sys.stdin.isatty():
        answer = input(f"Remove all accounts, payments and apps kept in {_short(around.local)}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes", "ya"):
            print("Nothing was removed.")
            return False
    for name in DATA:
        path = around.local / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return True


def _refuse(console: Console, reason: BaseException) -> int:
    sys.stdout.flush()
    print(f"{console.paint('bin/run:', 31)} {reason}", file=sys.stderr, flush=True)
    return 1


def _ask(url: str) -> tuple[int, str]:
    """Status and text of the answer; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status), ""
    except urllib.error.HTTPError as error:
        return error.code, error.read(500).decode(errors="replace")
    except OSError:
        return 0, ""


def _adopt_orphans() -> None:
    """Let the kernel hand us the children of children that die: none outlives the run (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_descendants() -> None:
    left = psutil.Process().children(recursive=True)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=3)


def _seconds(since_s: float) -> str:
    return f"{time.monotonic() - since_s:.1f} s"


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
