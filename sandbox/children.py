"""A named child process: its lines go to a log file and the terminal, its whole group ends with us."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from sandbox.engines import die_with_parent

COLOURS = {"web": 36, "worker": 35, "scheduler": 33, "sandbox": 34, "bin/run": 32}
CAUSE = re.compile(r"[\w.]+(Error|Exception|Exit|Refused)\b")
QUIET_KEYS = {"event", "level", "timestamp", "logger", "request_id", "message_id", "worker"}


class Console:
    """The terminal, shared by every child's reader. Holds lines back until `open` is called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self.colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def open(self) -> None:
        self._open = True

    def say(self, text: str = "") -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            print(text, flush=True)

    def line(self, name: str, text: str) -> None:
        """One line of a child; log objects are unfolded so that a person can read them."""
        if self._open and text.strip():
            self.say(f"{self.paint(f'{name:>9}', COLOURS.get(name, 37))}  {readable(text)}")

    def paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.colourful else text

    def bold(self, text: str) -> str:
        return self.paint(text, 1)

    def dim(self, text: str) -> str:
        return self.paint(text, 2)


def readable(line: str) -> str:
    """`{"event": "job.done", "job": "x"}` as `job.done job=x`; anything else as it is."""
    record: Any = None
    if line.startswith("{"):
        with contextlib.suppress(ValueError):
            record = json.loads(line)
    if not isinstance(record, dict) or "event" not in record:
        return line
    level = str(record.get("level", "info"))
    rest = " ".join(f"{key}={_one_line(value)}" for key, value in record.items() if key not in QUIET_KEYS)
    mark = "" if level in ("info", "debug") else f"{level.upper()} "
    return f"{mark}{record['event']} {rest}".rstrip()


def likely_cause(output: list[str]) -> str:
    """The line that most likely says why a process ended: its own last exception, else its last line."""
    lines = [readable(line).strip() for line in output if line.strip()]
    causes = [line for line in lines if CAUSE.match(line) and not line.startswith("gunicorn.")]
    return (causes or lines or ["no output"])[-1]


def _one_line(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    last = text.strip().rsplit("\n", 1)[-1].strip()
    return json.dumps(last, ensure_ascii=False) if re.search(r"\s", last) else last


class Child:
    """One process group. `start` again after it died; `stop` returns when nothing of it is left."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: dict[str, str],
        cwd: Path,
        log_dir: Path,
        console: Console,
        grace_s: float,
    ) -> None:
        self.name, self.command, self.env, self.cwd, self.grace_s = name, command, env, cwd, grace_s
        self.log = log_dir / f"{name}.log"
        self.console = console
        self.recent: deque[str] = deque(maxlen=40)
        self.process: subprocess.Popen[str] | None = None
        self.started_at_s = 0.0

    def start(self) -> None:
        """Call it from the main thread: the kernel ties the child's life to the thread that made it."""
        self.started_at_s = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with self.log.open("a") as log, process.stdout:
            for line in process.stdout:
                log.write(line)
                log.flush()
                self.recent.append(line.rstrip())
                self.console.line(self.name, line.rstrip())

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def how_it_ended(self) -> str:
        code = self.process.returncode if self.process else None
        if code is None:
            return "running"
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    @property
    def last_words(self) -> str:
        return likely_cause(list(self.recent))

    def stop(self, *, hurry: threading.Event) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        deadline = time.monotonic() + self.grace_s
        while process.poll() is None and time.monotonic() < deadline and not hurry.is_set():
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
