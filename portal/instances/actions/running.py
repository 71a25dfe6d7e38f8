"""From its order to its end: create, roll out, start, stop, restart, fence."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.core import events, outbox
from portal.core.ids import new_id, readable_code
from portal.core.rows import insert_all
from portal.instances import rules
from portal.instances.apps import app_template
from portal.instances.errors import CannotRestart, CannotStart, CannotStop, InstanceNotFound
from portal.instances.models import (
    DomainStatus,
    Instance,
    InstanceDomain,
    InstanceEvent,
    InstanceSecret,
    InstanceState,
    WantedState,
)
from portal.provisioning.manifests import generate_secrets

NAME_CODE_LENGTH = 6


def create(
    session: Session,
    *,
    customer: Customer,
    subscription_id: UUID,
    service_slug: str,
    service_name: str,
    cpu_millicores: int,
    memory_mib: int,
    storage_gib: int,
    now: datetime,
) -> Instance:
    """A new instance with its name and its generated secrets; queues `jobs.instances.provision`.

    Makes another one on every call: the caller's idempotency key guards the purchase. `UnknownApp` when there
    is no app template of that slug.
    """
    template = app_template(service_slug)
    instance = Instance(
        id=new_id(),
        customer_id=customer.id,
        subscription_id=subscription_id,
        service_slug=service_slug,
        service_name=service_name,
        name=f"{service_slug}-{readable_code(NAME_CODE_LENGTH)}",
        namespace=customer.namespace,
        state=InstanceState.PENDING,
        wanted=WantedState.RUNNING,
        cpu_millicores=cpu_millicores,
        memory_mib=memory_mib,
        storage_gib=storage_gib,
        version=template.version,
        images={container.name: container.image for container in template.containers},
        created_at=now,
    )
    session.add(instance)
    session.flush()
    record_event(session, instance.id, "ordered", unique_key="ordered", now=now)
    _add_missing_secrets(session, instance, {})
    outbox.enqueue(session, "instances.provision", instance_id=instance.id)
    return instance


def locked(session: Session, instance_id: UUID) -> Instance:
    """The instance with its row locked until the transaction ends; raises `InstanceNotFound`."""
    statement = select(Instance).where(Instance.id == instance_id).with_for_update()
    instance = session.scalar(statement.execution_options(populate_existing=True))
    if instance is None:
        raise InstanceNotFound
    return instance


def complete_secrets(session: Session, instance: Instance) -> dict[str, str]:
    """The instance's secrets by name; one that its app template gained since is made now."""
    statement = select(InstanceSecret).where(InstanceSecret.instance_id == instance.id)
    stored = {secret.name: secret.value for secret in session.scalars(statement)}
    return stored | _add_missing_secrets(session, instance, stored)


def _add_missing_secrets(session: Session, instance: Instance, stored: dict[str, str]) -> dict[str, str]:
    wanted = generate_secrets(app_template(instance.service_slug), secrets.token_bytes, stored)
    for name in wanted.keys() - stored.keys():
        session.add(InstanceSecret(instance_id=instance.id, name=name, value=wanted[name]))
    return wanted


def begin_roll_out(session: Session, instance: Instance, *, now: datetime) -> None:
    """PENDING becomes PROVISIONING and the customer's five minutes begin; a repeat changes nothing."""
    if instance.state == InstanceState.PENDING:
        _move(instance, InstanceState.PROVISIONING)
        instance.deadline_at = now + _timeout()
        _roll_out_event(session, instance, "provisioning_started", now=now)


def mark_step(session: Session, instance: Instance, code: str, *, now: datetime, **parameters: Any) -> bool:
    """Writes a step of the roll-out under way on the timeline; False when it stands there already."""
    return _roll_out_event(session, instance, code, now=now, **parameters)


def mark_ready(session: Session, instance: Instance, *, now: datetime) -> bool:
    """The app answers at its address: RUNNING. True when this is the first time ever."""
    first = instance.ready_at is None
    _roll_out_event(session, instance, "ready", now=now)
    _settle(instance, InstanceState.RUNNING)
    instance.ready_at = instance.ready_at or now
    if first:
        events.record(session, "instance.ready", instance_id=instance.id, customer_id=instance.customer_id)
    return first


def mark_stopped(session: Session, instance: Instance, *, now: datetime) -> None:
    """Nothing of it runs any more, as wanted."""
    _roll_out_event(session, instance, "stopped", now=now)
    suspended = instance.wanted == WantedState.SUSPENDED
    _settle(instance, InstanceState.SUSPENDED if suspended else InstanceState.STOPPED)


def mark_outage(session: Session, instance: Instance, *, code: str, parameters: dict[str, Any], now: datetime) -> bool:
    """An app that ran before does not come up: ERROR, and its roll-out stays under observation.

    True the first time in this roll-out, when the customer must be told. Nothing is refunded or removed.
    """
    assert instance.ready_at is not None, "a first roll-out fails through fail_provisioning"
    fresh = _roll_out_event(session, instance, "outage", now=now, reason=code, **parameters)
    if instance.state != InstanceState.ERROR:
        _move(instance, InstanceState.ERROR)
    instance.failure_code, instance.failure_parameters = code, parameters
    return fresh


def start(session: Session, instance_id: UUID, *, now: datetime) -> Instance:
    """Wants it running and queues the roll-out; raises `CannotStart`."""
    instance = locked(session, instance_id)
    if not rules.can_start(instance):
        raise CannotStart
    return want(session, instance, WantedState.RUNNING, "start_requested", now=now)


def stop(session: Session, instance_id: UUID, *, now: datetime) -> Instance:
    """Wants it stopped and queues that; its data and its slot stay. Raises `CannotStop`."""
    instance = locked(session, instance_id)
    if not rules.can_stop(instance):
        raise CannotStop
    return want(session, instance, WantedState.STOPPED, "stop_requested", now=now)


def restart(session: Session, instance_id: UUID, *, now: datetime) -> Instance:
    """Replaces its pod by a new one; raises `CannotRestart`."""
    instance = locked(session, instance_id)
    if not rules.can_restart(instance):
        raise CannotRestart
    instance.restarted_at = now
    return want(session, instance, WantedState.RUNNING, "restart_requested", now=now)


def fence(
    session: Session,
    instance_id: UUID,
    *,
    now: datetime,
    failure_code: str | None = None,
    failure_parameters: dict[str, Any] | None = None,
) -> bool:
    """From here nothing may start it any more; queues its clean-up. False, and no change, on a repeat.

    With a failure code its first roll-out failed: the state becomes ERROR, and False when it has run meanwhile,
    so that nobody is refunded for an app that works. Without one it is deleted: TERMINATED.
    """
    instance = locked(session, instance_id)
    failed = failure_code is not None
    if instance.fenced_at is not None or (failed and instance.ready_at is not None):
        return False
    if instance.state != (InstanceState.ERROR if failed else InstanceState.TERMINATED):
        _move(instance, InstanceState.ERROR if failed else InstanceState.TERMINATED)
    instance.wanted, instance.fenced_at, instance.deadline_at = WantedState.ABSENT, now, None
    instance.failure_code, instance.failure_parameters = failure_code, failure_parameters or {}
    _record_end(session, instance, now=now)
    _free_domains(session, instance)
    outbox.enqueue(session, "instances.clean_up", instance_id=instance.id)
    return True


def mark_cleaned_up(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """The cluster confirmed that nothing labelled is left. True the first time: the slot may be freed."""
    instance = locked(session, instance_id)
    assert instance.fenced_at is not None, "only a fenced instance is cleaned up"
    if instance.cleaned_up_at is not None:
        return False
    instance.cleaned_up_at = now
    record_event(session, instance.id, "cleaned_up", unique_key="cleaned_up", now=now)
    return True


def record_event(
    session: Session, instance_id: UUID, code: str, *, unique_key: str, now: datetime, **parameters: Any
) -> bool:
    """Writes an event of the timeline; False, and no change, when its key stands there already."""
    values = {
        "id": new_id(),
        "instance_id": instance_id,
        "code": code,
        "parameters": parameters,
        "unique_key": unique_key[:100],
        "happened_at": now,
    }
    return bool(insert_all(session, InstanceEvent, [values], once_by=("instance_id", "unique_key")))


def roll_out_key(instance: Instance) -> str:
    """Names the roll-out under way, so that each of its steps is written once."""
    return f"{instance.deadline_at.timestamp():.6f}" if instance.deadline_at else "settled"


def want(
    session: Session,
    instance: Instance,
    wanted: WantedState,
    code: str,
    *,
    now: datetime,
    within: timedelta | None = None,
) -> Instance:
    """Wants something else of a locked instance: a new roll-out begins, named `code` on the timeline, to end
    `within` the usual time or another."""
    instance.wanted, instance.deadline_at = wanted, now + (within or _timeout())
    instance.failure_code, instance.failure_parameters = None, {}
    if wanted == WantedState.RUNNING and instance.state != InstanceState.PROVISIONING:
        _move(instance, InstanceState.PROVISIONING)
    _roll_out_event(session, instance, code, now=now)
    outbox.enqueue(session, "instances.provision", instance_id=instance.id)
    return instance


def _timeout() -> timedelta:
    return timedelta(seconds=settings().provision_timeout_s)


def _settle(instance: Instance, state: InstanceState) -> None:
    if instance.state != state:
        _move(instance, state)
    instance.deadline_at = None
    instance.failure_code, instance.failure_parameters = None, {}
    instance.resized_from_cpu_millicores = instance.resized_from_memory_mib = None


def _move(instance: Instance, to: InstanceState) -> None:
    assert rules.can_move(instance, to), f"{instance.state} may not become {to}"
    instance.state = to


def _record_end(session: Session, instance: Instance, *, now: datetime) -> None:
    code = instance.failure_code
    if code is None:
        record_event(session, instance.id, "deletion_started", unique_key="fenced", now=now)
    else:
        parameters = {**instance.failure_parameters, "reason": code}
        record_event(session, instance.id, "failed", unique_key="fenced", now=now, **parameters)


def _free_domains(session: Session, instance: Instance) -> None:
    """Others may prove its domains now. The rows stay: the clean-up finds the certificates by them."""
    claimed = update(InstanceDomain).where(InstanceDomain.instance_id == instance.id)
    freed = claimed.values(status=DomainStatus.FAILED, failure_code="app_deleted", next_check_at=None)
    session.execute(freed.execution_options(synchronize_session=False))


def _roll_out_event(session: Session, instance: Instance, code: str, *, now: datetime, **parameters: Any) -> bool:
    key = f"{roll_out_key(instance)}:{code}"
    return record_event(session, instance.id, code, unique_key=key, now=now, **parameters)
