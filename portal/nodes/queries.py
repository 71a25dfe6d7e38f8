"""Reads of nodes, of what runs on them, of drains and of room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from portal.catalog.models import Plan, Service
from portal.core.ids import parse_id
from portal.nodes import rules
from portal.nodes.errors import NodeNotFound
from portal.nodes.models import Node, NodeApp, NodeDrain, NodeStatus
from portal.nodes.rules import Offer, Overselling, Place
from portal.provisioning.manifests import requests_of
from portal.provisioning.nodes import HOSTNAME, Amounts

MEBIBYTE = 2**20


def node(session: Session, reference: UUID | str) -> Node:
    """By id or by name; `NodeNotFound`."""
    node_id = reference if isinstance(reference, UUID) else parse_id(reference)
    key = Node.id == node_id if node_id is not None else Node.name == str(reference)
    found = session.scalar(sa.select(Node).where(key).execution_options(populate_existing=True))
    if found is None:
        raise NodeNotFound
    return found


def online(now: datetime) -> sa.ColumnElement[bool]:
    """`rules.is_online` in SQL."""
    return sa.func.coalesce(Node.last_heartbeat_at > now - rules.SILENT_AFTER, sa.false())


def status(now: datetime) -> sa.Case[str]:
    """`rules.status_of` in SQL, so that a list can be filtered by it."""
    vouched = sa.func.coalesce(Node.synced_at >= Node.last_heartbeat_at + rules.SILENT_AFTER, sa.false())
    silent = Node.last_heartbeat_at.is_not(None) & ~online(now) & ~vouched
    return sa.case(
        (Node.maintenance_since.is_not(None), NodeStatus.MAINTENANCE),
        (Node.gone_at.is_not(None), NodeStatus.INACTIVE),
        (Node.synced_at.is_(None), NodeStatus.PENDING),
        (~Node.ready | silent, NodeStatus.NOT_READY),
        (Node.unschedulable, NodeStatus.INACTIVE),
        else_=NodeStatus.ACTIVE,
    )


def offline(session: Session, *, now: datetime) -> Sequence[Node]:
    """Nodes of the cluster whose agent has been heard once and is silent now, those in maintenance left out."""
    silent = (Node.last_heartbeat_at.is_not(None), ~online(now), Node.gone_at.is_(None))
    return session.scalars(sa.select(Node).where(*silent, Node.maintenance_since.is_(None)).order_by(Node.name)).all()


def not_ready(session: Session, *, now: datetime) -> Sequence[Node]:
    """Nodes that cannot run anything although nobody took them out."""
    return session.scalars(sa.select(Node).where(status(now) == NodeStatus.NOT_READY).order_by(Node.name)).all()


def overselling(session: Session, *, now: datetime) -> Overselling:
    """Every slot for sale against what the active nodes have free; nothing before the cluster named any node."""
    if session.scalar(sa.select(Node.id).where(Node.synced_at.is_not(None)).limit(1)) is None:
        return rules.overselling([], [])
    statement = (
        sa.select(Plan, Service.name.label("service"))
        .join(Service)
        .where(Plan.active, Service.active, Plan.slots_total > Plan.slots_used)
    )
    offers = [_offer(row.Plan, row.service) for row in session.execute(statement)]
    return rules.overselling(offers, [room_of(one) for one in active(session, now=now)])


def _offer(plan: Plan, service: str) -> Offer:
    cpu_millicores, memory_mib = requests_of(cpu_millicores=plan.cpu_millicores, memory_mib=plan.memory_mib)
    needs = Amounts(cpu_millicores, memory_mib * MEBIBYTE, 0, 1)
    return Offer(f"{service} {plan.name}", needs, plan.slots_available)


def active(session: Session, *, now: datetime, but: UUID | None = None) -> Sequence[Node]:
    """The nodes that take new apps, by name."""
    statement = sa.select(Node).where(status(now) == NodeStatus.ACTIVE, Node.id != (but or UUID(int=0)))
    return session.scalars(statement.order_by(Node.name)).all()


def places(session: Session, *, but: UUID, now: datetime) -> list[Place]:
    """Where the apps of a node might go."""
    found = active(session, now=now, but=but)
    return [Place(one.name, room_of(one), one.labels.get(HOSTNAME, one.name)) for one in found]


def room_of(one: Node) -> Amounts:
    """What is allocatable and not requested yet."""
    return one.allocatable - one.requested


def apps_on(session: Session, name: str) -> Sequence[NodeApp]:
    """The pods of our apps on a node, as the last synchronisation saw them."""
    return session.scalars(sa.select(NodeApp).where(NodeApp.node_name == name).order_by(NodeApp.namespace)).all()


def apps_per_node() -> sa.Subquery:
    """How many apps each node holds: `node_name`, `apps`."""
    return (
        sa.select(NodeApp.node_name, sa.func.count(sa.distinct(NodeApp.instance_id)).label("apps"))
        .group_by(NodeApp.node_name)
        .subquery()
    )


def drain_of(session: Session, node_id: UUID) -> NodeDrain | None:
    """The newest drain of a node, with its moves."""
    statement = sa.select(NodeDrain).where(NodeDrain.node_id == node_id).order_by(NodeDrain.started_at.desc()).limit(1)
    return session.scalar(statement.options(selectinload(NodeDrain.moves)).execution_options(populate_existing=True))


def last_sync(session: Session) -> datetime | None:
    """When the cluster was last asked."""
    return session.scalar(sa.select(sa.func.max(Node.synced_at)))


def facts(one: Node) -> dict[str, Any]:
    """For the audit log."""
    return {"unschedulable": one.unschedulable, "maintenance": one.maintenance_since is not None}
