"""Reads shaped for pages and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from portal.core import outbox
from portal.instances.errors import InstanceNotFound
from portal.instances.models import (
    Instance,
    InstanceDomain,
    InstanceEvent,
    InstanceSecret,
    InstanceState,
    InstanceVariable,
)
from portal.instances.variables import Stored


def listing(session: Session, customer_id: UUID) -> Sequence[Instance]:
    """A customer's instances, newest first; those that are gone and confirmed so are left out."""
    statement = (
        select(Instance)
        .where(Instance.customer_id == customer_id, Instance.cleaned_up_at.is_(None))
        .order_by(Instance.created_at.desc(), Instance.id.desc())
    )
    return session.scalars(statement).all()


def of_customer(session: Session, instance_id: UUID, *, customer_id: UUID) -> Instance:
    """One of the customer's own instances with its events; `InstanceNotFound` for anybody else's."""
    statement = (
        select(Instance)
        .where(Instance.id == instance_id, Instance.customer_id == customer_id)
        .options(selectinload(Instance.events))
        .execution_options(populate_existing=True)
    )
    instance = session.scalar(statement)
    if instance is None:
        raise InstanceNotFound
    return instance


def of_anybody(session: Session, instance_id: UUID) -> Instance:
    """An app with its events, whoever owns it: for operators. `InstanceNotFound`."""
    statement = select(Instance).where(Instance.id == instance_id).options(selectinload(Instance.events))
    instance = session.scalar(statement.execution_options(populate_existing=True))
    if instance is None:
        raise InstanceNotFound
    return instance


def secrets_of(session: Session, instance_id: UUID) -> dict[str, str]:
    """The generated secrets by name, decrypted: for the credentials panel alone."""
    statement = select(InstanceSecret).where(InstanceSecret.instance_id == instance_id)
    return {secret.name: secret.value for secret in session.scalars(statement)}


def events_of_roll_out(session: Session, instance_id: UUID, roll_out: str) -> dict[str, datetime]:
    """When each step and trouble of one roll-out was first seen, by code."""
    statement = select(InstanceEvent.code, InstanceEvent.happened_at).where(
        InstanceEvent.instance_id == instance_id,
        InstanceEvent.unique_key.startswith(f"{roll_out}:", autoescape=True),
    )
    return {row.code: row.happened_at for row in session.execute(statement)}


def present_of_service(session: Session, slug: str) -> Sequence[Instance]:
    """The apps of a service that run or may run again, oldest first."""
    statement = select(Instance).where(Instance.service_slug == slug, Instance.fenced_at.is_(None))
    return session.scalars(statement.order_by(Instance.id)).all()


def variables_of(session: Session, instance_id: UUID) -> dict[str, Stored]:
    """The customer's variables by name, in order, decrypted."""
    statement = select(InstanceVariable).where(InstanceVariable.instance_id == instance_id)
    statement = statement.order_by(InstanceVariable.name).execution_options(populate_existing=True)
    return {one.name: Stored(one.name, one.value, one.secret, one.changed_at) for one in session.scalars(statement)}


def domains_of(session: Session, instance_id: UUID) -> Sequence[InstanceDomain]:
    """The app's own domains, oldest first."""
    statement = select(InstanceDomain).where(InstanceDomain.instance_id == instance_id).order_by(InstanceDomain.id)
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def hosts_claimed(session: Session, instance_id: UUID) -> Sequence[str]:
    """Every host that was ever asked for the instance and not taken back, proved or not."""
    statement = select(InstanceDomain.host).where(InstanceDomain.instance_id == instance_id)
    return session.scalars(statement.order_by(InstanceDomain.host)).all()


def forgotten(session: Session, *, limit: int = 200) -> Sequence[Instance]:
    """Unfinished instances that no queued work will ever look at again: its attempts were used up."""
    queued = outbox.is_queued("instances.", "instance_id", Instance.id)
    under_way = Instance.fenced_at.is_(None) & (
        (Instance.state == InstanceState.PENDING) | Instance.deadline_at.is_not(None)
    )
    not_gone = Instance.fenced_at.is_not(None) & Instance.cleaned_up_at.is_(None)
    statement = select(Instance).where(or_(under_way, not_gone), ~queued).order_by(Instance.id).limit(limit)
    return session.scalars(statement).all()
