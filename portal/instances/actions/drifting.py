"""Drift written down from its first sighting to its end, and repaired where that is safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.core import outbox
from portal.core.ids import new_id
from portal.instances.drift import Sighting, Survey
from portal.instances.models import ClusterDrift

TRIED_AGAIN_AFTER = timedelta(minutes=50)
"""A repair is queued once per hourly run, however many runs there are at once."""

REPAIRS_MAX = 50
WIDE_MIN = 10
"""So many apps, and more than half: a new release or other settings, not drift. Repairing would restart them all."""

JOBS = {"apply": "instances.provision", "clean_up": "instances.clean_up"}


@dataclass
class Repairs:
    """What a run set going. `held`: apps whose repair waits for an operator's word."""

    queued: list[UUID] = field(default_factory=list)
    held: int = 0


def record_drift(session: Session, found: Survey, *, now: datetime) -> list[ClusterDrift]:
    """Notes every sighting, ends what is not seen any more; returns what is open now, oldest first.

    What concerns an app or a namespace that was not judged stays as it was.
    """
    _note(session, found.sightings, now=now)
    unseen = and_(ClusterDrift.resolved_at.is_(None), ClusterDrift.seen_at < now)
    judged = or_(
        and_(ClusterDrift.instance_id.is_not(None), ClusterDrift.instance_id.not_in(found.unjudged)),
        and_(ClusterDrift.instance_id.is_(None), ClusterDrift.namespace.not_in(found.unjudged_namespaces)),
    )
    ended = update(ClusterDrift).where(unseen, judged).values(resolved_at=now)
    session.execute(ended.execution_options(synchronize_session=False))
    statement = select(ClusterDrift).where(ClusterDrift.resolved_at.is_(None)).order_by(ClusterDrift.found_at)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def repair_drift(session: Session, found: Survey, *, force: bool = False, now: datetime) -> Repairs:
    """Queues the repair of what is safe, once per app. So many at once are held back unless `force`."""
    repairs, wanted = Repairs(), _repairable(found.sightings)
    apps = {instance_id for instance_id, how in wanted if how == "apply"}
    if not force and len(apps) > WIDE_MIN and 2 * len(apps) > found.judged:
        repairs.held = len(apps)
        wanted = [(instance_id, how) for instance_id, how in wanted if how != "apply"]
    for instance_id, how in wanted if force else wanted[:REPAIRS_MAX]:
        if _claim(session, instance_id, now=now):
            outbox.enqueue(session, JOBS[how], instance_id=instance_id)
            repairs.queued.append(instance_id)
    return repairs


def _note(session: Session, sightings: Sequence[Sighting], *, now: datetime) -> None:
    rows = [
        {
            "id": new_id(),
            "kind": one.difference.kind,
            "namespace": one.difference.key[0],
            "object": one.difference.key[1][:300],
            "instance_id": one.instance_id,
            "detail": one.difference.detail[:500],
            "found_at": now,
            "seen_at": now,
        }
        for one in sightings
    ]
    if not rows:
        return
    statement = upsert(ClusterDrift)
    new = statement.excluded
    seen = {"seen_at": new.seen_at, "detail": new.detail, "instance_id": new.instance_id}
    key = ["namespace", "object", "kind"]
    open_ones = ClusterDrift.resolved_at.is_(None)
    session.execute(statement.on_conflict_do_update(index_elements=key, index_where=open_ones, set_=seen), rows)


def _repairable(sightings: Sequence[Sighting]) -> list[tuple[UUID, str]]:
    """Each app once, in the order of its id: two runs at once take rows in the same order."""
    found = {one.instance_id: one.repair for one in sightings if one.repair and one.instance_id}
    return sorted(found.items())


def _claim(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """True for one run: the app's open drift is marked as tried by whoever comes first."""
    untried = or_(ClusterDrift.repair_tried_at.is_(None), ClusterDrift.repair_tried_at <= now - TRIED_AGAIN_AFTER)
    statement = (
        update(ClusterDrift)
        .where(ClusterDrift.instance_id == instance_id, ClusterDrift.resolved_at.is_(None), untried)
        .values(repair_tried_at=now)
        .returning(ClusterDrift.id)
        .execution_options(synchronize_session=False)
    )
    return bool(session.scalars(statement).all())
