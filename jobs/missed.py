"""Making up for moments at which nobody worked: everything was down, or the worker died in the middle."""

from __future__ import annotations

from flask import current_app
from rq import Queue

from jobs.schedule import SCHEDULE
from portal.core import clock, outbox, schedules
from portal.core.db import transaction


def make_up() -> dict[str, int]:
    """Every five minutes, and at the scheduler's start: hands missed runs to a worker, each in its own time.

    Losing one on the way loses nothing: the next round finds it missing still.
    """
    now = clock.now()
    with transaction() as session:
        entered = schedules.enter(session, SCHEDULE, now=now)
        found = list(schedules.missed(session, SCHEDULE, now=now))
    queue = Queue("default", connection=outbox.redis_connection())
    for entry, moment in found:
        current_app.logger.warning("schedule.missed %s %s", entry.name, moment)
        queue.enqueue(
            "jobs.periodic.make_up",
            args=(entry.name, moment.isoformat()),
            job_id=f"make-up-{entry.name}-{moment:%Y%m%d%H%M}",
            job_timeout=entry.timeout_s,
            result_ttl=3600,
        )
    return {"missed": len(found), "entered": entered}
