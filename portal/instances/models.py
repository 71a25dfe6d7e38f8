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
    UNCLEAR = "UNCLEAR"  # so many were silent at once that it says nothing about this one


class Instance(Identified, Base):
    """One app of a customer. `fenced_at`: nothing may start it any more; `cleaned_up_at`: the cluster
    confirmed that nothing labelled with it is left, which is what frees its slot."""

    __tablename__ = "instance"
    __table_args__ = (
        CheckConstraint("name ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'", name="name_is_a_label"),
        Index("ix_instance_customer_id", "customer_id"),
        Index("ix_instance_name_prefix", "name", postgresql_ops={"name": "text_pattern_ops"}),
        Index("ix_instance_created_at", "created_at", "id"),
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
    resized_from_cpu_millicores: Mapped[int | None]  # while it is being given another size: the one it leaves
    resized_from_memory_mib: Mapped[int | None]
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
    silent_count: Mapped[int] = mapped_column(default=0)  # checks in a row without an answer
    silent_since: Mapped[datetime | None]  # the first of them
    wanted_before_suspension: Mapped[str | None] = mapped_column(String(20))  # what resuming brings back
    version: Mapped[str] = mapped_column(String(60), default="")  # of the app; an update moves it
    images: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)  # by container: what runs is what was tested
    update_from_version: Mapped[str | None] = mapped_column(String(60))  # while an update is under way
    update_from_images: Mapped[dict[str, str] | None] = mapped_column(JSONB)

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


class InstanceVariable(Base):
    """An environment variable the customer set, encrypted at rest. A secret one is never shown again."""

    __tablename__ = "instance_variable"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(EncryptedText)
    secret: Mapped[bool] = mapped_column(default=True)
    changed_at: Mapped[datetime]


class DomainStatus(StrEnum):
    PENDING = "PENDING"  # waits for the customer's DNS records
    VERIFIED = "VERIFIED"  # the records are right; part of the app's Ingress
    FAILED = "FAILED"  # the records were right once and are no more, or never were in time


class InstanceDomain(Identified, Base):
    """A customer's own domain for an app. `token` stands in a TXT record and proves whose domain it is."""

    __tablename__ = "instance_domain"
    __table_args__ = (
        # Anybody may claim a host; only one who proved it has it.
        Index("uq_instance_domain_verified", "host", unique=True, postgresql_where=text("status = 'VERIFIED'")),
        UniqueConstraint("instance_id", "host"),
        CheckConstraint("host = lower(host)", name="host_lower"),
        Index("ix_instance_domain_host", "host"),
        Index("ix_instance_domain_host_prefix", "host", postgresql_ops={"host": "text_pattern_ops"}),
        Index("ix_instance_domain_due", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"))
    host: Mapped[str] = mapped_column(String(253))
    token: Mapped[str] = mapped_column(String(60))
    status: Mapped[str] = mapped_column(String(10), default=DomainStatus.PENDING)
    created_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    next_check_at: Mapped[datetime | None]  # by ourselves; none: only when the customer asks
    verified_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]  # while it is VERIFIED and its records are gone
    failure_code: Mapped[str | None] = mapped_column(String(60))  # what the last check missed
    failure_parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class InstanceOutage(Identified, Base):
    """A time in which a running app's address did not answer. At most one is open per app."""

    __tablename__ = "instance_outage"
    __table_args__ = (
        Index("uq_instance_outage_open", "instance_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_instance_outage_instance_id", "instance_id", "began_at"),
    )

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"))
    began_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class InstanceHealthHour(Base):
    """Checks of an hour, summed: the history behind the availability chart."""

    __tablename__ = "instance_health_hour"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    asked: Mapped[int]
    answered: Mapped[int]
    took_ms_sum: Mapped[int] = mapped_column(default=0)  # of the answered ones
    took_ms_max: Mapped[int] = mapped_column(default=0)


class InstanceUse(Base):
    """What an app used at a moment, from the cluster's metrics API."""

    __tablename__ = "instance_use"

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(primary_key=True)
    cpu_millicores: Mapped[int]
    memory_mib: Mapped[int]


class ClusterDrift(Identified, Base):
    """A difference between what the database wants and what the cluster has, from its first sighting to its end."""

    __tablename__ = "cluster_drift"
    __table_args__ = (
        Index(
            "uq_cluster_drift_open",
            "namespace",
            "object",
            "kind",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_cluster_drift_found_at", "found_at"),
    )

    kind: Mapped[str] = mapped_column(String(10))  # of provisioning.drift.Drift
    namespace: Mapped[str] = mapped_column(String(63))
    object: Mapped[str] = mapped_column(String(300))  # Kind/name
    instance_id: Mapped[UUID | None]  # may name one that the database does not know
    detail: Mapped[str] = mapped_column(String(500), default="")
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    repair_tried_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
