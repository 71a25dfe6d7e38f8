"""Suspended for money: at zero with its data kept, and back exactly as it was."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import outbox
from portal.instances.actions.running import locked, record_event, want
from portal.instances.models import Instance, InstanceState, WantedState


def suspend(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """Wants the app at zero, remembers what was wanted of it, and queues that; its data stays.

    False, and no change, when it is suspended or fenced already. One in an administrator's hands (MAINTENANCE) keeps
    that state; the cluster follows all the same.
    """
    instance = locked(session, instance_id)
    if instance.fenced_at is not None or instance.wanted == WantedState.SUSPENDED:
        return False
    instance.wanted_before_suspension = instance.wanted
    _turn(session, instance, WantedState.SUSPENDED, "suspended", now=now)
    return True


def resume(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """Wants of the app again exactly what was wanted before its suspension, running or stopped, and queues that.

    Nothing else of it changes, so that its objects come back as they were. False, and no change, when it is not
    suspended or fenced.
    """
    instance = locked(session, instance_id)
    if instance.fenced_at is not None or instance.wanted != WantedState.SUSPENDED:
        return False
    before = WantedState(instance.wanted_before_suspension or WantedState.RUNNING)
    instance.wanted_before_suspension = None
    _turn(session, instance, before, "resumed", now=now)
    return True


def _turn(session: Session, instance: Instance, wanted: WantedState, code: str, *, now: datetime) -> None:
    if instance.state != InstanceState.MAINTENANCE:
        want(session, instance, wanted, code, now=now)
        return
    instance.wanted = wanted
    record_event(session, instance.id, code, unique_key=f"{now.timestamp():.6f}:{code}", now=now)
    outbox.enqueue(session, "instances.provision", instance_id=instance.id)
