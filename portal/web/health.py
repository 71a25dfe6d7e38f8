"""Health for machines: alive, ready, and metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config import settings
from portal.alerts import queries as alerts
from portal.alerts import rules
from portal.books import queries as books
from portal.core import clock, job_runs, queues, schedules
from portal.core.crypto import same
from portal.core.db import db
from portal.core.errors import NotFound, Unavailable
from portal.core.outbox import OutboxMessage
from portal.wallet import queries as wallet
from portal.web import metrics
from portal.web.guards import operator

FORWARDING = {"Forwarded", "Via", "X-Real-Ip"}
blueprint = Blueprint("health", __name__)
BALANCES_KEPT = timedelta(minutes=5)
QUEUE_OLD_AFTER = timedelta(minutes=10)
SCHEDULER_GONE_AFTER = timedelta(minutes=2)


@blueprint.get("/healthz")
@operator
def live() -> Any:
    """This process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@operator
def ready() -> Any:
    """This process can serve: database migrated and Redis there. Old work in the queue is told, not refused."""
    checks = {"database": _database(), "redis": _redis()}
    if checks["database"] == "ok":
        checks["queue"] = _queue(db.session())
        checks["schedule"] = _schedule(db.session())
    good = checks["database"] == checks["redis"] == "ok"
    return jsonify(status="ok" if good else "unavailable", checks=checks), 200 if good else 503


@blueprint.get("/metrics")
@operator
def prometheus() -> Response:
    """Prometheus text; behind METRICS_TOKEN, without one for this machine alone, in production for nobody."""
    if not _may_scrape():
        raise NotFound
    body = generate_latest(metrics.all_processes()) + generate_latest(_gauges(db.session()))
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def _may_scrape() -> bool:
    token = settings().metrics_token.get_secret_value()
    if token:
        return same(request.headers.get("Authorization", ""), f"Bearer {token}")
    return not settings().production and request.remote_addr in ("127.0.0.1", "::1") and not _forwarded()


def _forwarded() -> bool:
    """A proxy on this very host calls from loopback too, for whomever it serves."""
    return any(name in FORWARDING or name.startswith("X-Forwarded-") for name, _ in request.headers)


def _database() -> str:
    try:
        db.session().execute(text("SELECT version_num FROM alembic_version")).one()
    except SQLAlchemyError:
        db.session.rollback()
        return "unavailable"
    return "ok"


def _redis() -> str:
    try:
        current_app.extensions["redis"].ping()
    except RedisError:
        return "unavailable"
    return "ok"


def _queue(session: Session) -> str:
    oldest = session.scalar(_open_messages(func.min(OutboxMessage.run_at)))
    late = oldest is not None and clock.now() - oldest > QUEUE_OLD_AFTER
    return "old work is waiting: is a worker running?" if late else "ok"


def _schedule(session: Session) -> str:
    """Told, not refused: the portal serves without periodic work, but an operator should know which job is late."""
    now = clock.now()
    last = job_runs.newest_start(session)
    if last is None or now - last > SCHEDULER_GONE_AFTER:
        return "no periodic work for a while: is a scheduler running?"
    return "; ".join(map(str, schedules.late(session, schedules.entries(), now=now))) or "ok"


def _open_messages(what: Any) -> Any:
    return select(what).where(OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None))


def _gauges(session: Session) -> CollectorRegistry:
    """Figures read from the database at scrape time."""
    registry = CollectorRegistry()
    waiting = Gauge("minispod_outbox_waiting", "Messages not done.", registry=registry)
    failed = Gauge(
        "minispod_outbox_failed", "Messages whose attempts are used up, less those a person gave up.", registry=registry
    )
    age = Gauge("minispod_outbox_oldest_seconds", "Age of the oldest due message.", registry=registry)
    waiting.set(session.scalar(_open_messages(func.count())) or 0)
    gave_up = select(func.count()).where(OutboxMessage.failed_at.is_not(None), OutboxMessage.given_up_at.is_(None))
    failed.set(session.scalar(gave_up) or 0)
    oldest = session.scalar(_open_messages(func.min(OutboxMessage.run_at)))
    age.set(max(0.0, (clock.now() - oldest).total_seconds()) if oldest else 0.0)
    differences = Gauge("minispod_books_differences_open", "Differences a person must look at.", registry=registry)
    differences.set(books.count_open(session))
    _add_schedule(registry, session)
    _add_alerts(registry, session)
    _add_queues(registry)
    held = Gauge(
        "minispod_balances_held_rupiah", "Customers' credit, a liability; read every 5 min.", registry=registry
    )
    held.set(_balances.read(session))
    return registry


def _add_alerts(registry: CollectorRegistry, session: Session) -> None:
    """Every code there is, so that a graph begins before its first alert."""
    open_now = Gauge("minispod_alerts_open", "Alerts that are open, by code.", ["code"], registry=registry)
    found = alerts.open_by_code(session)
    for code in (*rules.CODES, *rules.REPORTED, *found):
        open_now.labels(code).set(found.get(code, 0))


def _add_queues(registry: CollectorRegistry) -> None:
    """Nothing while Redis is away: /readyz says so, and an absent figure is an alert of its own."""
    length = Gauge("minispod_queue_length", "Jobs in a queue of Redis.", ["queue"], registry=registry)
    workers = Gauge("minispod_workers", "Workers that are alive; -1 while Redis is away.", registry=registry)
    connection = current_app.extensions["redis"]
    try:
        for name, jobs in queues.lengths(connection).items():
            length.labels(name).set(jobs)
        workers.set(queues.workers_alive(connection))
    except Unavailable:
        workers.set(-1)


class _Balances:
    """The sum of all wallets, which is too dear to be made at every scrape."""

    def __init__(self) -> None:
        self._sum, self._read_at = 0, datetime.min.replace(tzinfo=UTC)

    def read(self, session: Session) -> int:
        """Whole rupiah, at most five minutes old."""
        now = clock.now()
        if not timedelta(0) <= now - self._read_at < BALANCES_KEPT:
            self._sum, self._read_at = wallet.credit_held(session), now
        return self._sum


_balances = _Balances()


def _add_schedule(registry: CollectorRegistry, session: Session) -> None:
    late = Gauge("minispod_job_late", "1 for a periodic job that is late or failed.", ["name"], registry=registry)
    ended = Gauge("minispod_job_ended_seconds", "When a periodic job last ended.", ["name"], registry=registry)
    names = {each.name for each in schedules.late(session, schedules.entries(), now=clock.now())}
    for name, run in job_runs.last_ended(session, [entry.name for entry in schedules.entries()]).items():
        late.labels(name).set(name in names)
        ended.labels(name).set(run.ended_at.timestamp() if run.ended_at else 0)
