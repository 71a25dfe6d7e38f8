"""What an operator does to an app, each with its line in the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.instances import rules
from portal.instances.actions.running import locked, record_event, want
from portal.instances.errors import CannotMaintain, CannotReconcile, CannotRestart
from portal.instances.models import Instance, InstanceState, WantedState


def reconcile(session: Session, instance_id: UUID, *, actor: Actor, now: datetime) -> Instance:
    """Applies everything that is wanted of it again, which changes nothing where nothing differs."""
    instance = locked(session, instance_id)
    if not rules.can_reconcile(instance):
        raise CannotReconcile
    outbox.enqueue(session, "instances.provision", queue="urgent", instance_id=instance.id)
    return _noted(session, instance, "instance.reconciled", {}, actor, now=now)


def restart_for_operator(session: Session, instance_id: UUID, *, actor: Actor, now: datetime) -> Instance:
    """As a customer's restart; the timeline says that it was us. Raises `CannotRestart`."""
    instance = locked(session, instance_id)
    if not rules.can_restart(instance):
        raise CannotRestart
    before = _facts(instance)
    instance.restarted_at = now
    want(session, instance, WantedState.RUNNING, "operator_restart_started", now=now)
    return _noted(session, instance, "instance.restarted", before, actor, now=now)


def begin_maintenance(session: Session, instance_id: UUID, *, actor: Actor, now: datetime) -> Instance:
    """In an operator's hands: what runs goes on, but nothing watches it, repairs it or lets its customer change it.

    A roll-out under way is no longer watched either. Raises `CannotMaintain`.
    """
    instance = locked(session, instance_id)
    if not rules.can_begin_maintenance(instance):
        raise CannotMaintain
    before = _facts(instance)
    instance.state, instance.deadline_at = InstanceState.MAINTENANCE, None
    instance.failure_code, instance.failure_parameters = None, {}
    record_event(session, instance.id, "maintenance_begun", unique_key=f"{now.timestamp():.6f}:maintenance", now=now)
    return _noted(session, instance, "instance.maintenance_begun", before, actor, now=now)


def end_maintenance(session: Session, instance_id: UUID, *, actor: Actor, now: datetime) -> Instance:
    """Back to what is wanted of it, by a roll-out that begins now. Raises `CannotMaintain`."""
    instance = locked(session, instance_id)
    if not rules.can_end_maintenance(instance):
        raise CannotMaintain
    before = _facts(instance)
    want(session, instance, WantedState(instance.wanted), "maintenance_ended", now=now)
    return _noted(session, instance, "instance.maintenance_ended", before, actor, now=now)


def note_log_read(session: Session, instance: Instance, *, actor: Actor, now: datetime) -> None:
    """An app writes into its log what it likes: who reads it for the customer is written down."""
    _noted(session, instance, "instance.log_read", _facts(instance), actor, now=now)


def _facts(instance: Instance) -> dict[str, Any]:
    restarted = instance.restarted_at.isoformat() if instance.restarted_at else None
    return {"state": instance.state, "wanted": instance.wanted, "restarted_at": restarted}


def _noted(
    session: Session, instance: Instance, action: str, before: dict[str, Any], actor: Actor, *, now: datetime
) -> Instance:
    audit.changed(
        session, actor, action, subject_kind="instance", subject_id=instance.id, before=before,
        after=_facts(instance) if before else {}, name=instance.name, now=now,
    )  # fmt: skip
    return instance
