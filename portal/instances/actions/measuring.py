"""What apps used at a moment, written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.instances.models import Instance, InstanceUse
from portal.provisioning.use import Use


def record_use(session: Session, used: Mapping[UUID, Use], *, now: datetime) -> int:
    """One sample per app that we know, at the minute of `now`; a repeat in the minute changes nothing."""
    known = session.scalars(select(Instance.id).where(Instance.id.in_(used)))
    minute = now.replace(second=0, microsecond=0)
    rows = [
        {
            "instance_id": instance_id,
            "measured_at": minute,
            "cpu_millicores": used[instance_id].cpu_millicores,
            "memory_mib": used[instance_id].memory_mib,
        }
        for instance_id in known
    ]
    if rows:
        session.execute(upsert(InstanceUse).on_conflict_do_nothing(), rows)
    return len(rows)
