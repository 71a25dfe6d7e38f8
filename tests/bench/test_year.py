"""A short year: a few customers, long enough for renewals, grace, suspensions and a month's end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "REDIS_URL", "ENVIRONMENT")


@pytest.mark.slow
def test_a_few_customers_live_through_two_months_and_every_promise_is_kept() -> None:
    environment = {key: value for key, value in os.environ.items() if key not in OURS}
    command = [sys.executable, "-m", "bench.year", "--customers=12", "--days=75", "--seed=3"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=420)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith("result: every promise was kept")
    customers = ("did: _sign_up", "paid at the gateway", "  RENEWAL (", "  SHORT (")
    operator = ("office: refund", "  DONE (", "  PROMO (")
    for happened in (*customers, *operator, "trouble: "):
        assert happened in done.stdout, happened
