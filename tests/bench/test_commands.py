"""Each measurement runs, in a tiny size, and prints its ratio last. Nothing is said here of how large it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "pages": ["--rounds=1", "--seconds=1"],
    "purchases": ["--rounds=1", "--purchases=8", "--share=4", "--plans=2"],
    "webhooks": ["--seconds=1"],
    "renewals": ["40", "80", "--rounds=1", "--one-by-one=10"],
    "admin": ["--rows=300", "--rounds=1"],
}
OURS = ("DATABASE_URL", "REDIS_URL", "ENVIRONMENT")


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_measurement_prints_its_ratio_last(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in OURS}
    command = [sys.executable, "-m", f"bench.{name}", *TINY[name]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert last.startswith("ratio: ")
    assert re.search(r"= \d+\.\d\d", last)
