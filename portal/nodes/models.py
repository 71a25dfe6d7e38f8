"""Nodes, what runs on them, how full volumes are, and drains."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Composite, Mapped, composite, mapped_column, relationship

from portal.core.db import Base, Identified
from portal.provisioning.nodes import Amounts


class NodeStatus(StrEnum):
    """How a node stands now; never stored, see `rules.status_of`."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"  # cordoned, or no longer part of the cluster
    MAINTENANCE = "MAINTENANCE"
    PENDING = "PENDING"  # its agent speaks, the cluster does not know it yet
    NOT_READY = "NOT_READY"


class DrainState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    INCOMPLETE = "INCOMPLETE"  # its time was up with something left
    CANCELLED = "CANCELLED"


class MoveState(StrEnum):
    """One pod of a drain."""

    WAITING = "WAITING"
    LEAVING = "LEAVING"  # asked to go; its successor is not ready yet
    BLOCKED = "BLOCKED"  # a disruption budget forbids it for now
    NO_ROOM = "NO_ROOM"  # it went, and its successor fits nowhere
    REFUSED = "REFUSED"
    MOVED = "MOVED"


def _amounts(prefix: str) -> Composite[Amounts]:
    names = ("cpu_millicores", "memory_bytes", "storage_bytes", "pods")
    return composite(
        Amounts, *(mapped_column(f"{prefix}_{name}", BigInteger, nullable=False, default=0) for name in names)
    )


class Node(Identified, Base):
    """A machine of the cluster. What the API said stands with `synced_at`, what its agent said with
    `last_heartbeat_at`; either may be missing. `used` is the agent's word."""

    __tablename__ = "node"
    __table_args__ = (CheckConstraint("name ~ '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$'", name="name_is_a_subdomain"),)

    name: Mapped[str] = mapped_column(String(253), unique=True)
    first_seen_at: Mapped[datetime]
    ready: Mapped[bool] = mapped_column(default=False)
    unschedulable: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    taints: Mapped[list[str]] = mapped_column(JSONB, default=list)
    architecture: Mapped[str] = mapped_column(String(40), default="")
    operating_system: Mapped[str] = mapped_column(String(120), default="")
    kubelet_version: Mapped[str] = mapped_column(String(80), default="")
    runtime_version: Mapped[str] = mapped_column(String(120), default="")
    agent_version: Mapped[str] = mapped_column(String(40), default="")
    capacity: Mapped[Amounts] = _amounts("capacity")
    allocatable: Mapped[Amounts] = _amounts("allocatable")
    requested: Mapped[Amounts] = _amounts("requested")
    used: Mapped[Amounts] = _amounts("used")
    synced_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]  # since when the cluster does not list it any more
    last_heartbeat_at: Mapped[datetime | None]  # by our clock
    heartbeat_sent_at: Mapped[datetime | None]  # by its own: an older one is not noted
    maintenance_since: Mapped[datetime | None]


class NodeApp(Base):
    """A pod of one of our apps, where the last synchronisation saw it. `node_name` is empty while it has no place."""

    __tablename__ = "node_app"
    __table_args__ = (
        Index("ix_node_app_instance_id", "instance_id"),
        Index("ix_node_app_node_name", "node_name"),
        Index("ix_node_app_claim", "namespace", "claim"),
    )

    namespace: Mapped[str] = mapped_column(String(63), primary_key=True)
    pod: Mapped[str] = mapped_column(String(253), primary_key=True)
    instance_id: Mapped[UUID]  # a higher package: no foreign key here
    node_name: Mapped[str] = mapped_column(String(253), default="")
    claim: Mapped[str] = mapped_column(String(253), default="")
    phase: Mapped[str] = mapped_column(String(20), default="")
    ready: Mapped[bool] = mapped_column(default=False)
    unschedulable: Mapped[bool] = mapped_column(default=False)
    restarts: Mapped[int] = mapped_column(default=0)
    cpu_millicores: Mapped[int] = mapped_column(default=0)  # requested
    memory_bytes: Mapped[int] = mapped_column(default=0)
    seen_at: Mapped[datetime]


class VolumeUse(Base):
    """How full an app's volume was in a slice of five minutes, at its last report."""

    __tablename__ = "volume_use"
    __table_args__ = (CheckConstraint("used_bytes >= 0 AND capacity_bytes >= 0", name="not_negative"),)

    instance_id: Mapped[UUID] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(primary_key=True)
    used_bytes: Mapped[int]
    capacity_bytes: Mapped[int]


class NodeDrain(Identified, Base):
    """Everything that can move is asked to leave a node. At most one is under way per node."""

    __tablename__ = "node_drain"
    __table_args__ = (
        Index("uq_node_drain_open", "node_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_node_drain_node_id", "node_id", "started_at"),
    )

    node_id: Mapped[UUID] = mapped_column(ForeignKey("node.id"))
    state: Mapped[str] = mapped_column(String(20), default=DrainState.RUNNING)
    started_by: Mapped[UUID]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    trouble: Mapped[str] = mapped_column(String(60), default="")  # a code: why it does not go on right now

    moves: Mapped[list[NodeMove]] = relationship(lazy="raise", order_by="NodeMove.id")


class NodeMove(Identified, Base):
    """One pod that a drain moves; `uid` is that of the pod which leaves."""

    __tablename__ = "node_move"
    __table_args__ = (UniqueConstraint("drain_id", "uid"),)

    drain_id: Mapped[UUID] = mapped_column(ForeignKey("node_drain.id"))
    namespace: Mapped[str] = mapped_column(String(63))
    pod: Mapped[str] = mapped_column(String(253))
    uid: Mapped[str] = mapped_column(String(64))
    instance_id: Mapped[UUID | None]  # none: it is not one of our apps
    state: Mapped[str] = mapped_column(String(20), default=MoveState.WAITING)
    asked_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
