"""The steps of `bin/check`, so that the one run of all tests covers them too."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = "house"  # the tests around this one
STEPS = subprocess.run([ROOT / "bin/check", "--list"], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("step", [step for step in STEPS if step != HOUSE])
def test_check_passes(step: str) -> None:
    done = subprocess.run([ROOT / "bin/check", step], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
