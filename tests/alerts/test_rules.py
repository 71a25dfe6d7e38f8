"""What is worth a person's attention, and what is not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.alerts import rules
from portal.alerts.rules import Facts, ShortPlan
from portal.core.pulse import Pulse
from portal.notices.wording.alerts import ALERTS

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
WELL = Facts(NOW)
GIB = 1024**3


def codes(**facts: Any) -> list[str]:
    return [signal.code for signal in rules.judge(replace(WELL, **facts))]


def test_a_portal_that_is_well_has_nothing_to_tell() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    "facts, expected",
    [
        ({"books": ["entries_balance e1"]}, ["books_differ"]),
        ({"comparison": ["ledger_differs order X"]}, ["reconciliation_differs"]),
        ({"gateway": Pulse(3, 3)}, ["gateway_down"]),
        ({"gateway": Pulse(4, 3)}, []),
        ({"gateway": Pulse(0, 2)}, []),
        ({"cluster": Pulse(0, 3)}, ["cluster_down"]),
        ({"mail": Pulse(1, 9)}, ["mail_failing"]),
        ({"requests": Pulse(0, 9)}, []),
        ({"requests": Pulse(0, 10)}, ["many_errors"]),
        ({"work_oldest_at": NOW - timedelta(minutes=10), "work_due": 5}, []),
        ({"work_oldest_at": NOW - timedelta(minutes=10, seconds=1), "work_due": 5}, ["queue_old"]),
        ({"work_failed": [("1", "payments.check")]}, ["work_failed"]),
        ({"workers": 0}, ["worker_absent"]),
        ({"workers": None}, []),
        ({"runs_late": ["renewals"]}, ["runs_late"]),
        ({"runs_failed": ["books-audit"]}, ["runs_failed"]),
        ({"database_bytes": 80 * GIB, "volume_bytes": 100 * GIB}, ["disk_short"]),
        ({"database_bytes": 80 * GIB - 1, "volume_bytes": 100 * GIB}, []),
        ({"database_bytes": 80 * GIB, "volume_bytes": 0}, []),
        ({"short_plans": [ShortPlan("n8n Basic", free=1, total=10, waiting=1)]}, ["slots_short"]),
        ({"short_plans": [ShortPlan("n8n Basic", free=2, total=10, waiting=1)]}, []),
        ({"short_plans": [ShortPlan("n8n Basic", free=0, total=0, waiting=4)]}, ["slots_short"]),
        ({"nodes_away": ["node-2"]}, ["node_offline"]),
    ],
)
def test_what_is_told_and_what_is_not(facts: dict[str, Any], expected: list[str]) -> None:
    assert codes(**facts) == expected


def test_every_code_has_words_and_every_word_a_code() -> None:
    assert set(ALERTS) == {*rules.CODES, *rules.REPORTED}


def test_every_code_has_its_story() -> None:
    story = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()
    assert set(re.findall(r"^## ([a-z]+_[a-z_]+)$", story, re.MULTILINE)) == set(ALERTS)


def test_words_get_the_figures_they_need() -> None:
    """Each rule passes what its sentences name."""
    ill = Facts(
        NOW, books=["a b"], comparison=["c d"], gateway=Pulse(0, 9), cluster=Pulse(0, 9), mail=Pulse(0, 9),
        requests=Pulse(0, 99), work_due=1, work_oldest_at=NOW - timedelta(hours=1), work_failed=[("1", "x.y")],
        workers=0, runs_late=["a"], runs_failed=["b"], database_bytes=9 * GIB, volume_bytes=10 * GIB,
        short_plans=[ShortPlan("n8n Basic", 0, 3, 2)], nodes_away=["node-2"],
    )  # fmt: skip
    signals = rules.judge(ill)
    assert [signal.code for signal in signals] == list(rules.CODES)
    for signal in signals:
        said = [ALERTS[signal.code].title, *(s for s in ALERTS[signal.code].sentences if isinstance(s, str))]
        given = {**signal.parameters, "opened_at": "", "alert_id": ""}
        assert all(str(text) % given for text in said)
