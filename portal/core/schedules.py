"""What a line of the schedule means: when its moments are, which of them was missed, and which job is late.

The table itself is `jobs/schedule.py`; this side of the house sees it through `entries`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crontab import CronTab
from sqlalchemy.orm import Session

from portal.core import clock, job_runs
from portal.core.job_runs import JobRun

EARLY = timedelta(seconds=30)
"""A scheduler whose clock is fast starts a run before its moment by ours; it is that moment's all the same."""
MADE_UP_AFTER = timedelta(minutes=5)
TRIED_AGAIN_AFTER = timedelta(minutes=30)
TRIED_AGAIN_FOR = timedelta(days=1)
ENTERED = "entered the schedule"
FAR_AHEAD = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Periodic:
    """A cron line (in Jakarta time) or a pause in seconds, the job it starts, and when that counts as late.

    With `catch_up` a moment that nobody ran, or whose run died or failed, is made up for.
    """

    name: str
    job: str
    cron: str = ""
    every_s: int = 0
    late_after: timedelta = timedelta(minutes=15)  # a run must have ended this long after its moment
    catch_up: bool = False
    timeout_s: int = 600  # a run that takes longer is stopped


@dataclass(frozen=True)
class Late:
    """A job none of whose runs stands for its moment `since`, long after it; or whose last run failed."""

    name: str
    since: datetime
    error: str | None = None

    def __str__(self) -> str:
        when = f"{self.since.astimezone(clock.JAKARTA):%d %b %H:%M} WIB"
        return f"{self.name} failed at {when}" if self.error else f"{self.name} is late since {when}"


def entries() -> list[Periodic]:
    """The table of periodic work."""
    return importlib.import_module("jobs.schedule").SCHEDULE


def last_moment(entry: Periodic, now: datetime) -> datetime:
    """The newest moment of an entry that is not after `now`."""
    if entry.every_s:
        return datetime.fromtimestamp(now.timestamp() // entry.every_s * entry.every_s, UTC)
    after = now.astimezone(clock.JAKARTA).replace(microsecond=0) + timedelta(seconds=1)
    return _instant(CronTab(entry.cron).previous(after, return_datetime=True, default_utc=True))


def next_moment(entry: Periodic, now: datetime) -> datetime:
    """The first moment of an entry after `now`."""
    if entry.every_s:
        return last_moment(entry, now) + timedelta(seconds=entry.every_s)
    local = now.astimezone(clock.JAKARTA)
    return _instant(CronTab(entry.cron).next(local, return_datetime=True, default_utc=True))


def moment_of(entry: Periodic, now: datetime) -> datetime:
    """The moment that a run begun at `now` stands for. Two schedulers, or a slow queue, meet in the same one."""
    return last_moment(entry, now + EARLY) if entry.cron else last_moment(entry, now)


def missed(session: Session, schedule: Iterable[Periodic], *, now: datetime) -> Iterator[tuple[Periodic, datetime]]:
    """Entries that catch up, with the newest moment that nobody ran to its end. Of several missed moments only the
    newest: its run looks back as far as it must. What never ran has missed nothing: see `enter`."""
    for entry in schedule:
        moment = last_moment(entry, now - MADE_UP_AFTER)
        if not entry.catch_up or not job_runs.ran_before(session, entry.name, moment):
            continue
        run = session.get(JobRun, (entry.name, moment), populate_existing=True)
        if run is None or _may_be_repeated(entry, run, now):
            yield entry, moment


def _may_be_repeated(entry: Periodic, run: JobRun, now: datetime) -> bool:
    if run.ended_at is None:
        return run.started_at < dead_before(entry, now)
    return bool(run.error) and run.ended_at < now - TRIED_AGAIN_AFTER and run.scheduled_for > now - TRIED_AGAIN_FOR


def dead_before(entry: Periodic, now: datetime) -> datetime:
    """A run that began before this and never ended has no worker any more."""
    return now - timedelta(seconds=entry.timeout_s + 60)


def enter(session: Session, schedule: Iterable[Periodic], *, now: datetime) -> int:
    """Notes since when each new entry is in the table, so that no moment before counts as missed or late."""
    fresh = [entry.name for entry in schedule if not job_runs.ran_before(session, entry.name, FAR_AHEAD)]
    just_before = now - timedelta(microseconds=1)  # this very moment is for the job itself
    for name in fresh:
        if job_runs.claim(session, name, scheduled_for=just_before, now=now):
            job_runs.end(session, name, scheduled_for=just_before, now=now, result=ENTERED)
    return len(fresh)


def late(session: Session, schedule: Iterable[Periodic], *, now: datetime) -> list[Late]:
    """Jobs whose last run failed, and jobs that did not run when they should have."""
    schedule = list(schedule)
    last = job_runs.last_ended(session, [entry.name for entry in schedule])
    found = []
    for entry in schedule:
        run = last.get(entry.name)
        if run is None:
            continue
        expected = last_moment(entry, now - entry.late_after)
        if run.scheduled_for < expected:
            found.append(Late(entry.name, next_moment(entry, run.scheduled_for)))
        elif run.error:
            found.append(Late(entry.name, run.scheduled_for, run.error))
    return found


def _instant(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
