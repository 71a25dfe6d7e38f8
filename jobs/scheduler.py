"""The scheduler process: `TZ=Asia/Jakarta python -m jobs.scheduler`. Reconciles the table at start, removals included.

rq-scheduler reads cron lines in the process's own time zone, so this one puts itself into Jakarta's.
"""

from __future__ import annotations

import os
import time
import warnings
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis
from rq_scheduler import Scheduler

from config import settings
from jobs.schedule import SCHEDULE
from jobs.watchdog import Watchdog
from portal.core import logging
from portal.core.schedules import Periodic

log = structlog.get_logger()

QUEUE = "default"
INTERVAL_S = 5
RESULT_TTL_S = 3600
TIME_ZONE = "Asia/Jakarta"


def entry_id(entry: Periodic) -> str:
    """The fixed id of an entry in Redis, so that registering it again never doubles it."""
    return f"schedule-{entry.name}"


def reconcile(scheduler: Scheduler) -> list[str]:
    """Makes Redis hold exactly the table's entries, each under its own fixed id; returns their ids."""
    wanted = {entry_id(entry) for entry in SCHEDULE}
    for job in scheduler.get_jobs():
        scheduler.cancel(job)
        if job.id not in wanted:
            job.delete()
    for entry in SCHEDULE:
        options = {
            "queue_name": QUEUE,
            "id": entry_id(entry),
            "args": [entry.name],
            "func": "jobs.periodic.run",
            "timeout": entry.timeout_s,
        }
        if entry.cron:
            scheduler.cron(entry.cron, use_local_timezone=True, result_ttl=RESULT_TTL_S, **options)
        else:
            scheduler.schedule(datetime.now(UTC), interval=entry.every_s, result_ttl=RESULT_TTL_S, **options)
    return sorted(wanted)


class SelfHealingScheduler(Scheduler):
    """Puts the table back when Redis lost it: a Redis that comes back empty must not end periodic work. And tells when
    no worker is left."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._watchdog = Watchdog(self.connection)

    def enqueue_jobs(self) -> Any:
        self._watchdog.look()
        known = {job_id.decode() for job_id in self.connection.zrange(self.scheduled_jobs_key, 0, -1)}
        if not known.issuperset(map(entry_id, SCHEDULE)):
            log.warning("scheduler.table_lost", known=len(known))
            reconcile(self)
        return super().enqueue_jobs()


def prepared() -> SelfHealingScheduler:
    """A scheduler that thinks in Jakarta time, its table in Redis."""
    warnings.filterwarnings("ignore", category=FutureWarning)  # crontab's own plans, of no use to an operator
    os.environ["TZ"] = TIME_ZONE
    time.tzset()
    logging.configure(settings().log_level)
    scheduler = SelfHealingScheduler(
        queue_name=QUEUE, connection=Redis.from_url(settings().redis_url), interval=INTERVAL_S
    )
    log.info("scheduler.reconciled", entries=len(reconcile(scheduler)))
    return scheduler


def main() -> None:
    """Runs until SIGTERM."""
    prepared().run()


if __name__ == "__main__":
    main()
