"""Runs one entry of the schedule, once per moment however many schedulers there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from flask import has_app_context
from rq import Queue

from jobs.runner import application
from jobs.schedule import SCHEDULE
from portal.core import clock, job_runs, outbox, schedules
from portal.core.db import db, transaction
from portal.core.schedules import Periodic

log = structlog.get_logger()


def run(name: str) -> str:
    """What the scheduler queues: claims this moment's run, does the work, notes how it ended."""
    entry = _entry(name)
    return _in_portal(entry, schedules.moment_of(entry, clock.now()))


def make_up(name: str, moment: str) -> str:
    """Runs a moment that was missed, or whose run died or failed; unless somebody does so already."""
    return _in_portal(_entry(name), datetime.fromisoformat(moment))


def queue_now(line: str, moment: str) -> None:
    """A run that somebody asked for: handed to a worker with the line's own time-out, which may be an hour."""
    queue = Queue("default", connection=outbox.redis_connection())
    queue.enqueue(
        "jobs.periodic.make_up",
        args=(line, moment),
        job_id=f"run-now-{line}-{datetime.fromisoformat(moment):%Y%m%d%H%M%S}",
        job_timeout=_entry(line).timeout_s,
        result_ttl=3600,
    )


def _entry(name: str) -> Periodic:
    return next(entry for entry in SCHEDULE if entry.name == name)


def _in_portal(entry: Periodic, moment: datetime) -> str:
    if has_app_context():
        return _run(entry, moment)
    with application().app_context():
        return _run(entry, moment)


def _run(entry: Periodic, moment: datetime) -> str:
    if not _claim(entry, moment, now=clock.now()):
        return "claimed by another scheduler"
    outcome = _outcome(entry, moment)
    with transaction() as session:
        job_runs.end(session, entry.name, scheduled_for=moment, now=clock.now(), **outcome)
    return outcome.get("error") or outcome["result"]


def _claim(entry: Periodic, moment: datetime, *, now: datetime) -> bool:
    with transaction() as session:
        return job_runs.claim(
            session,
            entry.name,
            scheduled_for=moment,
            now=now,
            dead_before=schedules.dead_before(entry, now),
            failed_before=now - schedules.TRIED_AGAIN_AFTER,
        )


def _outcome(entry: Periodic, moment: datetime) -> dict[str, Any]:
    """How the job ended: its sentence, its counts (a job returns either), or its error."""
    try:
        with job_runs.running(entry.name, moment):
            returned = outbox.resolve(entry.job)()
    except Exception as failure:  # the edge of a periodic job: its next moment comes all the same
        log.error("periodic.failed", name=entry.name, exc_info=failure)
        return {"error": f"{type(failure).__name__}: {failure}"[:2000]}
    finally:
        db.session.remove()
    if isinstance(returned, dict):
        return {"result": job_runs.sentence(returned), "counts": returned}
    return {"result": str(returned or "done")}
