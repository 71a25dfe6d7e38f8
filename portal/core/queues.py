"""What Redis knows of the work at hand: how long each queue is, and which workers are alive. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.worker import BaseWorker

from portal.core.errors import Unavailable
from portal.core.outbox import QUEUES


@dataclass(frozen=True)
class QueueState:
    """A queue's length, and since when its first job waits."""

    name: str
    length: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class WorkerState:
    """A worker that is alive: since when, and what it runs since when."""

    name: str
    state: str
    born_at: datetime | None
    heard_at: datetime | None
    job: str
    job_since: datetime | None


def lengths(connection: Redis) -> dict[str, int]:
    """Each queue's length. Raises `Unavailable` when Redis is away."""
    try:
        return {name: Queue(name, connection=connection).count for name in QUEUES}
    except RedisError as error:
        raise Unavailable(what="redis") from error


def workers_alive(connection: Redis) -> int:
    """How many workers Redis heard of lately. Raises `Unavailable` when Redis is away."""
    try:
        return Worker.count(connection=connection)
    except RedisError as error:
        raise Unavailable(what="redis") from error


def queues(connection: Redis) -> list[QueueState]:
    """The queues in the order in which workers serve them. Raises `Unavailable` when Redis is away."""
    try:
        return [_queue(name, connection) for name in QUEUES]
    except RedisError as error:
        raise Unavailable(what="redis") from error


def workers(connection: Redis) -> list[WorkerState]:
    """The workers that are alive, by name. Raises `Unavailable` when Redis is away."""
    try:
        found = [_worker(one, connection) for one in Worker.all(connection=connection)]
    except RedisError as error:
        raise Unavailable(what="redis") from error
    return sorted(found, key=lambda one: one.name)


def _queue(name: str, connection: Redis) -> QueueState:
    queue = Queue(name, connection=connection)
    first = queue.get_job_ids(0, 1)
    job = _job(first[0], connection) if first else None
    return QueueState(name, queue.count, _aware(job.enqueued_at) if job else None)


def _worker(worker: BaseWorker, connection: Redis) -> WorkerState:
    job_id = worker.get_current_job_id()
    job = _job(job_id, connection) if job_id else None
    return WorkerState(
        name=worker.name,
        state=str(getattr(worker.get_state(), "value", worker.get_state())),
        born_at=_aware(worker.birth_date),
        heard_at=_aware(worker.last_heartbeat),
        job=(_said(job) if job else job_id) or "",
        job_since=_aware(job.started_at) if job else None,
    )


def _said(job: Job) -> str:
    """The name of the outbox's work, or of the schedule's line: its first argument."""
    if (job.func_name or "").startswith("jobs.periodic.") and job.args:
        return str(job.args[0])
    return str(job.description or job.func_name)


def _job(job_id: str, connection: Redis) -> Job | None:
    try:
        return Job.fetch(job_id, connection=connection)
    except NoSuchJobError:
        return None


def _aware(instant: datetime | None) -> datetime | None:
    """RQ's instants are UTC, some of them without saying so."""
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant
