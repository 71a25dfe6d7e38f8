"""Runs one entry of the schedule, once per moment however many schedulers there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from flask import has_app_context

from jobs.runner import application
from jobs.schedule import SCHEDULE, Periodic
from portal.core import clock, job_runs, outbox
from portal.core.db import db, transaction

log = structlog.get_logger()


def run(name: str) -> str:
    """What the scheduler queues: claims this moment's run, does the work, notes how it ended."""
    entry = next(entry for entry in SCHEDULE if entry.name == name)
    if has_app_context():
        return _run(entry)
    with application().app_context():
        return _run(entry)


def moment_of(entry: Periodic, now: datetime) -> datetime:
    """The moment a run stands for: its minute, or its slice of seconds. Two schedulers meet in the same one."""
    if entry.every_s:
        return datetime.fromtimestamp(now.timestamp() // entry.every_s * entry.every_s, tz=now.tzinfo)
    return now.replace(second=0, microsecond=0)


def _run(entry: Periodic) -> str:
    now = clock.now()
    moment = moment_of(entry, now)
    with transaction() as session:
        if not job_runs.claim(session, entry.name, scheduled_for=moment, now=now):
            return "claimed by another scheduler"
    outcome = _outcome(entry, moment)
    with transaction() as session:
        job_runs.end(session, entry.name, scheduled_for=moment, now=clock.now(), **outcome)
    return outcome.get("error") or outcome["result"]


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
