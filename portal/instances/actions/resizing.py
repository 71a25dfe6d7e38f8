"""Another size: processor and memory by a roll-out, the volume by growing it, which cannot be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.core import outbox
from portal.instances.actions.running import locked, record_event, want
from portal.instances.models import Instance, WantedState


def present(session: Session, subscription_id: UUID) -> list[Instance]:
    """The apps of a subscription that run or may run again, locked, in the order of their ids."""
    statement = select(Instance).where(Instance.subscription_id == subscription_id, Instance.fenced_at.is_(None))
    in_order = statement.order_by(Instance.id).with_for_update().execution_options(populate_existing=True)
    return list(session.scalars(in_order))


def resize(
    session: Session, instance_id: UUID, *, cpu_millicores: int, memory_mib: int, code: str, now: datetime
) -> Instance:
    """Wants it with that processor and memory: a new roll-out begins, named `code` on the timeline.

    A stopped app stays stopped and starts with the new size one day. Until the roll-out has ended, the customer's
    namespace has room for both sizes.
    """
    instance = locked(session, instance_id)
    instance.resized_from_cpu_millicores = instance.cpu_millicores
    instance.resized_from_memory_mib = instance.memory_mib
    instance.cpu_millicores, instance.memory_mib = cpu_millicores, memory_mib
    instance.restarted_at = now  # tells the pods of this size from those of the one before
    within = timedelta(seconds=settings().resize_timeout_s)
    return want(session, instance, WantedState(instance.wanted), code, now=now, within=within)


def forget_former_size(session: Session, instance_id: UUID) -> None:
    """Nothing of the former size runs any more; queues what takes its room away again."""
    instance = locked(session, instance_id)
    instance.resized_from_cpu_millicores = instance.resized_from_memory_mib = None
    if instance.fenced_at is None:
        outbox.enqueue(session, "instances.provision", instance_id=instance.id)


def want_volume(session: Session, instance_id: UUID, storage_gib: int) -> None:
    """Wants its volume that large. The cluster grows it only when asked by `cluster.grow_claim`."""
    locked(session, instance_id).storage_gib = storage_gib


def record_volume(
    session: Session, instance_id: UUID, *, storage_gib: int, code: str, now: datetime, **parameters: Any
) -> None:
    """Its volume is that large from now on, as `code` says on the timeline."""
    locked(session, instance_id).storage_gib = storage_gib
    key = f"{code}:{storage_gib}:{now.timestamp():.6f}"
    record_event(session, instance_id, code, unique_key=key, now=now, storage_gib=storage_gib, **parameters)
