"""Load on one address: `wrk` when it is on the PATH, otherwise threads of this module's own in other processes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
"""Several times the threads of both processes: a connection stays with the process that took it, and of few one process
may get all."""
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What came back: answers a second, latencies, and answers that were not 2xx or never came."""

    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int


def generator() -> str:
    """Who makes the load, for the report."""
    return "wrk" if shutil.which("wrk") else "bench.callers (Python threads; install wrk for less noise)"


def saturate(url: str, *, seconds: float, headers: Mapping[str, str] | None = None, bodies: Path | None = None) -> Load:
    """As many connections, each asking again as soon as it was answered. `bodies` has one JSON to POST per line."""
    if shutil.which("wrk"):
        return _wrk(url, seconds, headers or {}, bodies)
    return _callers(url, seconds, headers or {}, bodies, per_second=0)


def offer(url: str, *, per_second: int, seconds: float, bodies: Path) -> Load:
    """`per_second` POSTs a second, whatever the answers: latency counts from when each was due to be sent."""
    return _callers(url, seconds, {}, bodies, per_second=per_second)


def _wrk(url: str, seconds: float, headers: Mapping[str, str], bodies: Path | None) -> Load:
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{max(1, round(seconds))}s"]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    if bodies is not None:
        command += ["--script", str(Path(__file__).with_name("bodies.lua"))]
    command += ["--latency", url, *(["--", str(bodies)] if bodies is not None else [])]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    refused = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", report))
    refused += sum(int(n) for line in re.findall(r"Socket errors: (.*)", report) for n in re.findall(r"\d+", line))
    return Load(float(_found(r"Requests/sec:\s+([\d.]+)", report)), _ms(report, 50), _ms(report, 99), refused)


def _found(pattern: str, report: str) -> str:
    match = re.search(pattern, report)
    assert match, report
    return match.group(1)


def _ms(report: str, percentile: int) -> float:
    match = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)\b", report)
    assert match, report
    return float(match.group(1)) * UNITS_MS[match.group(2)]


def _callers(url: str, seconds: float, headers: Mapping[str, str], bodies: Path | None, *, per_second: int) -> Load:
    task = {
        "url": url,
        "seconds": seconds,
        "headers": dict(headers),
        "bodies": str(bodies) if bodies else None,
        "per_second": per_second,
        "connections": CONNECTIONS,
    }
    command = [sys.executable, "-m", "bench.callers", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout))
