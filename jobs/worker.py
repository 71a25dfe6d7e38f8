"""The worker process: `python -m jobs.worker`. SIGTERM lets the job at hand finish, then ends."""

from __future__ import annotations

import contextlib
import os

from redis import Redis
from rq import Queue, SimpleWorker, Worker

from config import settings
from jobs.runner import application
from portal.core.db import db
from portal.core.outbox import QUEUES


class PortalWorker(Worker):
    """Forks per job, so that a job that dies takes nothing along; the database pool is never shared over a fork."""

    def execute_job(self, job, queue):  # type: ignore[no-untyped-def]
        with application().app_context():
            db.engine.dispose(close=False)
        return super().execute_job(job, queue)


class QuickWorker(SimpleWorker):
    """Runs jobs in its own process: for machines too small to fork, and for tests that kill it whole."""


def main() -> None:
    """Serves the queues in their order, and RQ's own delayed jobs with them."""
    app = application()
    with contextlib.suppress(OSError, ImportError):  # without its system libraries PDFs are unavailable, not the worker
        import weasyprint  # noqa: F401 - once in the parent: it takes seconds
    connection = Redis.from_url(settings().redis_url)
    kind = QuickWorker if os.environ.get("WORKER_FORKS") == "0" else PortalWorker
    queues = [Queue(name, connection=connection) for name in QUEUES]
    with app.app_context():
        worker = kind(queues, connection=connection)
    worker.work(with_scheduler=True, logging_level="WARNING")


if __name__ == "__main__":
    main()
