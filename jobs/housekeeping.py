"""Removing what nobody needs any more. Nothing that is money, and nothing that is not done, is ever removed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, exists
from sqlalchemy.orm import aliased

from portal.accounts.models import MailedLink, PendingSignIn, UserSession
from portal.core import clock
from portal.core.db import transaction
from portal.core.job_runs import JobRun
from portal.core.outbox import OutboxMessage
from portal.instances.models import ClusterDrift, InstanceHealthHour, InstanceUse
from portal.nodes.models import VolumeUse

KEEP_DONE_WORK = timedelta(days=14)
KEEP_RUNS = timedelta(days=30)
KEEP_ENDED_SESSIONS = timedelta(days=30)
KEEP_HEALTH = timedelta(days=400)
KEEP_USE = timedelta(days=8)
KEEP_RESOLVED_DRIFT = timedelta(days=90)


def clean_up() -> str:
    """Every night at 03:00: old finished work and run records, sessions and links long past their end, old checks
    and samples of apps. Their outages stay."""
    now = clock.now()
    statements = [
        delete(OutboxMessage).where(OutboxMessage.done_at < now - KEEP_DONE_WORK),
        _old_runs(now),
        delete(UserSession).where(UserSession.expires_at < now - KEEP_ENDED_SESSIONS),
        delete(PendingSignIn).where(PendingSignIn.expires_at < now - KEEP_ENDED_SESSIONS),
        delete(MailedLink).where(MailedLink.expires_at < now - KEEP_ENDED_SESSIONS),
        delete(InstanceHealthHour).where(InstanceHealthHour.hour < now - KEEP_HEALTH),
        delete(InstanceUse).where(InstanceUse.measured_at < now - KEEP_USE),
        delete(VolumeUse).where(VolumeUse.measured_at < now - KEEP_USE),
        delete(ClusterDrift).where(ClusterDrift.resolved_at < now - KEEP_RESOLVED_DRIFT),
    ]
    removed = 0
    for statement in statements:
        with transaction() as session:
            removed += session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    return f"{removed} rows"


def _old_runs(now: datetime) -> Delete:
    """All but the newest of each job: from that one it is told whether a later one was missed."""
    newer = aliased(JobRun)
    is_newest = ~exists().where(newer.name == JobRun.name, newer.scheduled_for > JobRun.scheduled_for)
    return delete(JobRun).where(JobRun.scheduled_for < now - KEEP_RUNS, ~is_newest)
