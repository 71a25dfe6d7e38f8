"""What alerts are judged by, and the alerts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, func, select, text
from sqlalchemy.orm import Session

from config import settings
from portal.alerts.models import Alert
from portal.alerts.rules import WINDOW_MINUTES, Facts, ShortPlan
from portal.books import rules as books
from portal.books.models import BooksDifference
from portal.catalog.models import Plan, Service
from portal.core import outbox, pulse, queues, schedules
from portal.core.errors import Unavailable
from portal.core.outbox import OutboxMessage
from portal.core.pulse import Pulse
from portal.nodes import queries as nodes
from portal.subscriptions.models import IN_LINE, WaitlistEntry

FAILED_READ_MAX = 200
OPEN_WORK = (OutboxMessage.done_at.is_(None), OutboxMessage.failed_at.is_(None))
OF_COMPARISON = {*books.OF_ORDERS, *books.OF_DAYS}


def observe(session: Session, *, now: datetime) -> Facts:
    """How things stand: a handful of reads, each by an index."""
    differences = _differences(session)
    due, oldest_at = session.execute(
        select(func.count(), func.min(OutboxMessage.run_at)).where(*OPEN_WORK, OutboxMessage.run_at <= now)
    ).one()
    late = schedules.late(session, schedules.entries(), now=now)
    return Facts(
        now=now,
        books=[name for check, name in differences if check not in OF_COMPARISON],
        comparison=[name for check, name in differences if check in OF_COMPARISON],
        gateway=_pulse("gateway", now), cluster=_pulse("cluster", now), mail=_pulse("mail", now),
        requests=_pulse("requests", now),
        work_due=due, work_oldest_at=oldest_at, work_failed=_failed(session), workers=_workers(),
        runs_late=[one.name for one in late if not one.error],
        runs_failed=[one.name for one in late if one.error],
        database_bytes=_database_bytes(session), volume_bytes=settings().database_volume_gib * 1024**3,
        short_plans=_short_plans(session), nodes_away=_nodes_away(session, now=now),
    )  # fmt: skip


def _differences(session: Session) -> list[tuple[str, str]]:
    """Those that were told, oldest first: what may still go by itself is left out."""
    statement = select(BooksDifference).where(
        BooksDifference.resolved_at.is_(None), BooksDifference.told_at.is_not(None)
    )
    found = session.scalars(statement.order_by(BooksDifference.id).limit(FAILED_READ_MAX))
    return [(each.check, f"{each.check} {each.reference}") for each in found]


def _failed(session: Session) -> list[tuple[str, str]]:
    statement = select(cast(OutboxMessage.id, Text), OutboxMessage.name).where(
        OutboxMessage.failed_at.is_not(None), OutboxMessage.done_at.is_(None), OutboxMessage.given_up_at.is_(None)
    )
    rows = session.execute(statement.order_by(OutboxMessage.failed_at).limit(FAILED_READ_MAX))
    return [(identity, name) for identity, name in rows]


def _pulse(service: str, now: datetime) -> Pulse:
    return pulse.read(service, now=now, minutes=WINDOW_MINUTES)


def _workers() -> int | None:
    try:
        return queues.workers_alive(outbox.redis_connection())
    except Unavailable:
        return None


def _database_bytes(session: Session) -> int:
    return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def _nodes_away(session: Session, *, now: datetime) -> list[str]:
    away = [*nodes.offline(session, now=now), *nodes.not_ready(session, now=now)]
    return sorted({node.name for node in away})


def _short_plans(session: Session) -> list[ShortPlan]:
    waiting = func.count(WaitlistEntry.id)
    statement = (
        select(Service.name, Plan.name, Plan.slots_total, Plan.slots_used, waiting)
        .join(Plan, Plan.service_id == Service.id)
        .join(WaitlistEntry, WaitlistEntry.plan_id == Plan.id)
        .where(WaitlistEntry.status.in_(IN_LINE), Plan.active, Service.active)
        .group_by(Service.name, Plan.id)
        .order_by(waiting.desc())
    )
    return [
        ShortPlan(f"{service} {plan}", free=total - used, total=total, waiting=count)
        for service, plan, total, used, count in session.execute(statement)
    ]


def unclosed(session: Session, codes: Sequence[str]) -> list[Alert]:
    """What of these was seen and is not over, locked."""
    statement = select(Alert).where(Alert.closed_at.is_(None), Alert.code.in_(codes)).with_for_update()
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def closed_since(session: Session, code: str, key: str, since: datetime) -> Alert | None:
    """The newest of its kind that was over after `since`, locked."""
    statement = select(Alert).where(Alert.code == code, Alert.key == key, Alert.closed_at > since)
    return session.scalar(statement.order_by(Alert.closed_at.desc()).limit(1).with_for_update())


def open_by_code(session: Session) -> dict[str, int]:
    """How many are open, by code."""
    statement = select(Alert.code, func.count()).where(Alert.closed_at.is_(None), Alert.opened_at.is_not(None))
    return {row[0]: row[1] for row in session.execute(statement.group_by(Alert.code))}


def alert(session: Session, alert_id: UUID) -> Alert | None:
    return session.get(Alert, alert_id, populate_existing=True)
