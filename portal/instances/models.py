"""Instances, their timeline and their generated secrets."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.crypto import EncryptedText
from portal.core.db import Base, Identified


class InstanceState(StrEnum):
    PENDING = "PENDING"
    PROVISIONING = "PROVISIONING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    ERROR = "ERROR"
    TERMINATED = "TERMINATED"
    MAINTENANCE = "MAINTENANCE"


class WantedState(StrEnum):
    """What the database wants of the cluster; manifests are a pure function of it."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    ABSENT = "ABSENT"


class Health(StrEnum):
    """What the app's public address said when it was last asked."""

    UNKNOWN = ""
    ANSWERS = "ANSWERS"
    SILENT = "SILENT"


class Instance(Identified, Base):
    """One app of a customer. `fenced_at`: nothing may start it any more; `cleaned_up_at`: the cluster
    confirmed that nothing labelled with it is left, which is what frees its slot."""

    __tablename__ = "instance"
    __table_args__ = (
        CheckConstraint("name ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'", name="name_is_a_label"),
        Index("ix_instance_customer_id", "customer_id"),
        Index("ix_instance_unclean", "id", postgresql_where=text("wanted = 'ABSENT' AND cleaned_up_at IS NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    subscription_id: Mapped[UUID] = mapped_column(index=True)  # a higher package: no foreign key here
    service_slug: Mapped[str] = mapped_column(String(60))
    service_name: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(40), unique=True)  # subdomain and Kubernetes object name
    namespace: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(20), default=InstanceState.PENDING)
    wanted: Mapped[str] = mapped_column(String(20), default=WantedState.RUNNING)
    cpu_millicores: Mapped[int]
    memory_mib: Mapped[int]
    storage_gib: Mapped[int]
    restarted_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]  # of the roll-out under way
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    fenced_at: Mapped[datetime | None]
    cleaned_up_at: Mapped[datetime | None]
    failure_code: Mapped[str | None] = mapped_column(String(60))
    failure_parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    health: Mapped[str] = mapped_column(String(20), default=Health.UNKNOWN)
    health_checked_at: Mapped[datetime | None]

    events: Mapped[list[InstanceEvent]] = relationship(lazy="raise", order_by="InstanceEvent.id")
    secrets: Mapped[list[InstanceSecret]] = relationship(lazy="raise")


class InstanceEvent(Identified, Base):
    """A step on the customer's timeline: a code and its parameters."""

    __tablename__ = "instance_event"
    __table_args__ = (UniqueConstraint("instance_id", "unique_key"),)

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"))
    code: Mapped[str] = mapped_column(String(60))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    unique_key: Mapped[str] = mapped_column(String(100))  # a step of one roll-out is written once
    happened_at: Mapped[datetime]


class InstanceSecret(Base):
    """A generated secret, encrypted at rest."""

    __tablename__ = "instance_secret"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(EncryptedText)
