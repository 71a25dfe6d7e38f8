"""The table of periodic work in Redis, and what an operator may do to queued work."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from rq_scheduler import Scheduler

from jobs.schedule import SCHEDULE
from jobs.scheduler import SelfHealingScheduler, entry_id, reconcile
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage

WANTED = {entry_id(entry) for entry in SCHEDULE}


@pytest.fixture
def scheduler(portal: Flask) -> SelfHealingScheduler:
    return SelfHealingScheduler(queue_name="default", connection=portal.extensions["redis"], interval=5)


def entries(scheduler: Scheduler) -> set[str]:
    return {job.id for job in scheduler.get_jobs()}


def test_registering_twice_keeps_one_entry_each(scheduler) -> None:
    reconcile(scheduler)
    reconcile(scheduler)
    assert entries(scheduler) == WANTED


def test_an_entry_that_left_the_table_is_removed(scheduler) -> None:
    reconcile(scheduler)
    scheduler.cron("0 0 * * *", func="jobs.periodic.run", args=["gone"], id="schedule-gone", queue_name="default")
    reconcile(scheduler)
    assert entries(scheduler) == WANTED


def test_a_redis_that_comes_back_empty_gets_its_table_again(scheduler, portal: Flask) -> None:
    reconcile(scheduler)
    portal.extensions["redis"].flushall()
    assert entries(scheduler) == set()
    scheduler.enqueue_jobs()
    assert entries(scheduler) == WANTED


def test_cron_lines_are_jakarta_time_whatever_the_hosts_zone(portal: Flask) -> None:
    """Half past three in the night in Jakarta is 20:30 UTC of the day before."""
    import os
    import subprocess
    import sys

    code = (
        "from jobs.scheduler import prepared\n"
        "score = prepared().connection.zscore('rq:scheduler:scheduled_jobs', 'schedule-books-audit')\n"
        "from datetime import datetime, UTC\n"
        "print(datetime.fromtimestamp(score, UTC).strftime('%H:%M'))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"TZ": "UTC"}, check=True
    )
    assert out.stdout.split()[-1] == "20:30"


def test_an_operator_sees_what_gave_up_and_gives_it_another_try(portal: Flask) -> None:
    with transaction() as session:
        message_id = outbox.enqueue(session, "payments.check", payment_id="x")
    with transaction() as session:
        session.get_one(OutboxMessage, message_id).failed_at = clock.now()
    shown = portal.test_cli_runner().invoke(args=["outbox", "list"]).output
    assert "gave up" in shown
    assert str(message_id) in shown
    assert "queued again" in portal.test_cli_runner().invoke(args=["outbox", "retry", str(message_id)]).output
    assert db.session().get_one(OutboxMessage, message_id, populate_existing=True).failed_at is None


def test_work_that_waits_for_its_time_is_listed_on_demand_only(portal: Flask) -> None:
    with transaction() as session:
        outbox.enqueue(session, "payments.check", run_at=clock.now() + timedelta(hours=1), payment_id="x")
    assert "payments.check" not in portal.test_cli_runner().invoke(args=["outbox", "list"]).output
    assert "payments.check" in portal.test_cli_runner().invoke(args=["outbox", "list", "--all"]).output


def test_the_operators_guide_says_what_each_job_does() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "operate.md").read_text()
    assert [entry.name for entry in SCHEDULE if f"| `{entry.name}` |" not in guide] == []


def test_names_are_each_one_line_and_daily_work_is_made_up_for() -> None:
    assert len({entry.name for entry in SCHEDULE}) == len(SCHEDULE)
    daily = [entry for entry in SCHEDULE if entry.cron and entry.cron.split()[1] != "*"]
    assert [entry.name for entry in daily if not entry.catch_up] == []
    assert all(bool(entry.cron) is not bool(entry.every_s) for entry in SCHEDULE)
