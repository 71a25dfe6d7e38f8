"""Moments nobody worked at: which are missed, made up once, told by readiness; at midnight and at a month's end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from rq import Queue

from jobs import housekeeping, missed, periodic
from jobs.schedule import SCHEDULE
from portal.core import clock, outbox, schedules
from portal.core.db import db, transaction
from portal.core.job_runs import JobRun
from portal.core.schedules import Periodic

WIB = ZoneInfo("Asia/Jakarta")
AUDIT = next(entry for entry in SCHEDULE if entry.name == "books-audit")
MONTHLY = Periodic("monthly", "books.audit", cron="0 2 1 * *", catch_up=True)


def wib(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WIB)


def runs(name: str = "books-audit") -> list[JobRun]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(JobRun).where(JobRun.name == name).order_by(JobRun.scheduled_for)))


def make_up() -> int:
    """A round of looking for missed runs, and the worker's part of it."""
    found = missed.make_up()["missed"]
    queue = Queue("default", connection=outbox.redis_connection())
    for job in queue.get_jobs():
        periodic.make_up(*job.args)
    queue.empty()
    return found


# --- when moments are -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "now, last, upcoming",
    [
        ("2026-03-10T03:29:59.9", "2026-03-09T03:30", "2026-03-10T03:30"),
        ("2026-03-10T03:30:00", "2026-03-10T03:30", "2026-03-11T03:30"),
        ("2026-03-11T00:00:00", "2026-03-10T03:30", "2026-03-11T03:30"),
    ],
)
def test_a_daily_moment(now: str, last: str, upcoming: str) -> None:
    assert schedules.last_moment(AUDIT, wib(now)) == wib(last)
    assert schedules.next_moment(AUDIT, wib(now)) == wib(upcoming)


@pytest.mark.parametrize(
    "now, last, upcoming",
    [
        ("2026-03-01T01:59", "2026-02-01T02:00", "2026-03-01T02:00"),
        ("2028-02-29T23:59", "2028-02-01T02:00", "2028-03-01T02:00"),
        ("2026-12-31T23:59:59", "2026-12-01T02:00", "2027-01-01T02:00"),
        ("2027-01-01T02:00", "2027-01-01T02:00", "2027-02-01T02:00"),
    ],
)
def test_a_monthly_moment(now: str, last: str, upcoming: str) -> None:
    assert schedules.last_moment(MONTHLY, wib(now)) == wib(last)
    assert schedules.next_moment(MONTHLY, wib(now)) == wib(upcoming)


def test_a_scheduler_with_a_fast_clock_means_the_moment_that_is_about_to_come() -> None:
    assert schedules.moment_of(AUDIT, wib("2026-03-10T03:29:45")) == wib("2026-03-10T03:30")
    assert schedules.moment_of(AUDIT, wib("2026-03-10T03:29:15")) == wib("2026-03-09T03:30")


def test_a_slow_queue_runs_the_moment_it_was_meant_for_once(portal: Flask) -> None:
    with clock.at(wib("2026-03-11T03:30:05")):
        periodic.run("books-audit")
        clock.advance(timedelta(minutes=25))
        assert periodic.run("books-audit") == "claimed by another scheduler"
    assert [run.scheduled_for for run in runs()] == [wib("2026-03-11T03:30")]


# --- what was missed ------------------------------------------------------------------------------------


def test_a_new_installation_has_missed_nothing_and_is_late_with_nothing(portal: Flask) -> None:
    assert make_up() == 0
    clock.advance(timedelta(seconds=90))
    assert make_up() == 0
    with transaction() as session:
        assert schedules.late(session, SCHEDULE, now=clock.now()) == []


def test_a_run_missed_while_everything_was_down_is_made_up_once(portal: Flask) -> None:
    make_up()
    clock.advance(timedelta(days=3))
    assert make_up() > 0
    made_up = runs()[-1]
    assert (made_up.scheduled_for, made_up.started_at) == (wib("2026-03-13T03:30"), clock.now())
    clock.advance(timedelta(minutes=5))
    assert make_up() == 0
    assert len(runs()) == 2


def test_a_run_of_another_kind_is_not_made_up(portal: Flask) -> None:
    make_up()
    clock.advance(timedelta(days=3))
    make_up()
    assert [run.result for run in runs("payment-sync")] == [schedules.ENTERED]


def test_a_run_whose_worker_was_killed_is_made_up_when_it_must_be_dead(portal: Flask) -> None:
    make_up()
    with clock.at(wib("2026-03-11T03:30:02")):
        assert periodic._claim(AUDIT, wib("2026-03-11T03:30"), now=clock.now())  # and killed here
        clock.advance(timedelta(minutes=50))
        assert make_up_of_audit() == []
        clock.advance(timedelta(minutes=20))
        assert make_up_of_audit() == [wib("2026-03-11T03:30")]
        make_up()
        assert [run.result for run in runs()] == [schedules.ENTERED, "differences 0, told 0"]


def test_a_failed_run_is_tried_again_for_a_day(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    import jobs.books

    make_up()
    with clock.at(wib("2026-03-11T03:30:00")):
        with monkeypatch.context() as broken:
            broken.delattr(jobs.books, "audit")
            periodic.run("books-audit")
        clock.advance(timedelta(minutes=10))
        assert make_up_of_audit() == []
        clock.advance(timedelta(minutes=21))
        make_up()
        assert [bool(run.error) for run in runs()] == [False, False]


def make_up_of_audit() -> list[datetime]:
    db.session.rollback()
    found = schedules.missed(db.session(), SCHEDULE, now=clock.now())
    return [moment.astimezone(UTC) for entry, moment in found if entry.name == "books-audit"]


def test_two_that_make_up_at_once_run_it_once(portal: Flask) -> None:
    make_up()
    moment = wib("2026-03-11T03:30").isoformat()
    outcomes: list[str] = []

    def one() -> None:
        with portal.app_context():
            outcomes.append(periodic.make_up("books-audit", moment))

    with clock.at(wib("2026-03-11T09:00")):
        threads = [Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == [*["claimed by another scheduler"] * 3, "differences 0, told 0"]


def test_clean_up_keeps_the_newest_run_of_each_job(portal: Flask) -> None:
    make_up()
    clock.advance(timedelta(days=1))
    periodic.run("books-audit")
    clock.advance(timedelta(days=45))
    housekeeping.clean_up()
    assert len(runs()) == len(runs("payment-sync")) == 1


# --- what an operator sees ------------------------------------------------------------------------------


def schedule_in_readiness(client: FlaskClient) -> str:
    return client.get("/readyz").get_json()["checks"]["schedule"]


def test_readiness_says_that_no_scheduler_runs(client: FlaskClient) -> None:
    assert "is a scheduler running?" in schedule_in_readiness(client)
    periodic.run("outbox-sweep")
    assert schedule_in_readiness(client) == "ok"
    clock.advance(timedelta(minutes=3))
    assert "is a scheduler running?" in schedule_in_readiness(client)


def test_readiness_names_the_job_that_is_late_and_since_when(client: FlaskClient) -> None:
    make_up()
    with clock.at(wib("2026-03-11T04:29")):
        periodic.run("outbox-sweep")
        assert "books-audit" not in schedule_in_readiness(client)
        clock.advance(timedelta(minutes=2))
        periodic.run("outbox-sweep")
        assert "books-audit is late since 11 Mar 03:30 WIB" in schedule_in_readiness(client)
        make_up()
        assert "books-audit" not in schedule_in_readiness(client)


def test_readiness_and_metrics_name_the_job_that_failed(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import jobs.outbox

    with monkeypatch.context() as broken:
        broken.delattr(jobs.outbox, "sweep")
        periodic.run("outbox-sweep")
    assert "outbox-sweep failed at 10 Mar 12:00 WIB" in schedule_in_readiness(client)
    assert 'minispod_job_late{name="outbox-sweep"} 1.0' in client.get("/metrics").text


def test_runs_and_schedule_are_shown(portal: Flask) -> None:
    make_up()
    periodic.run("outbox-sweep")
    shown = portal.test_cli_runner().invoke(args=["jobs", "runs", "outbox-sweep"]).output
    assert "2026-03-10 12:00" in shown
    assert "0 messages" in shown
    table = portal.test_cli_runner().invoke(args=["jobs", "schedule"]).output
    assert [line.split()[0] for line in table.splitlines()] == [entry.name for entry in SCHEDULE]
    assert "30 3 * * *     last 2026-03-10 11:59 next 2026-03-11 03:30" in table
