"""What changes nodes: the cluster's list, an agent's word, an operator's acts. Locks the node's row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id, parse_id
from portal.nodes import queries, rules
from portal.nodes.errors import NodeNotFound, NotInThisState
from portal.nodes.heartbeats import Heartbeat
from portal.nodes.models import Node, NodeApp, NodeDrain, VolumeUse
from portal.provisioning.nodes import Amounts, NodeFound, PodFound

UNKNOWN_MAX = 200
"""So many nodes that only their agents know; more are not noted, whoever made them up."""

SLICE_MINUTES = 5
SYNC_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('nodes.sync', 0))"


# --- what the cluster says -------------------------------------------------------------------------


def sync(session: Session, found: Sequence[NodeFound], pods: Sequence[PodFound], *, now: datetime) -> dict[str, int]:
    """Every node and the place of every app as the cluster has just listed them; a repeat changes nothing else."""
    session.execute(sa.text(SYNC_LOCK))
    known = {one.name: one for one in session.scalars(sa.select(Node).order_by(Node.name).with_for_update(**ROW_LOCK))}
    requested = _requested(pods)
    for one in found:
        node = known.pop(one.name, None) or _add(session, one.name, now=now)
        _take_over(node, one, requested.get(one.name, Amounts()), now=now)
    gone = [node for node in known.values() if rules.is_known(node)]
    for node in gone:
        node.gone_at, node.ready, node.requested = now, False, Amounts()
    placed = _place(session, pods, now=now)
    _forget_unknown(session, now=now)
    return {"nodes": len(found), "gone": len(gone), "apps": placed}


def _requested(pods: Sequence[PodFound]) -> dict[str, Amounts]:
    sums: dict[str, Amounts] = {}
    for pod in pods:
        if pod.node:
            sums[pod.node] = sums.get(pod.node, Amounts()) + pod.requests
    return sums


def _add(session: Session, name: str, *, now: datetime) -> Node:
    node = Node(id=new_id(), name=name, first_seen_at=now)
    session.add(node)
    return node


def _take_over(node: Node, found: NodeFound, requested: Amounts, *, now: datetime) -> None:
    node.ready, node.unschedulable = found.ready, found.unschedulable
    node.labels, node.taints = found.labels, found.taints
    node.architecture, node.operating_system = found.architecture[:40], found.operating_system[:120]
    node.kubelet_version, node.runtime_version = found.kubelet_version[:80], found.runtime_version[:120]
    node.capacity, node.allocatable, node.requested = found.capacity, found.allocatable, requested
    node.synced_at, node.gone_at = now, None


def _place(session: Session, pods: Sequence[PodFound], *, now: datetime) -> int:
    """The rows are written anew: what is not listed is not there."""
    session.execute(sa.delete(NodeApp).execution_options(synchronize_session=False))
    rows = [row for pod in pods if (row := _row(pod, now))]
    if rows:
        session.execute(upsert(NodeApp).on_conflict_do_nothing(), rows)
    return len(rows)


def _row(pod: PodFound, now: datetime) -> dict[str, object] | None:
    instance_id = parse_id(pod.instance) if pod.instance else None
    if instance_id is None or pod.leaving:
        return None
    return {
        "namespace": pod.namespace, "pod": pod.name, "instance_id": instance_id, "node_name": pod.node,
        "claim": next(iter(pod.claims), ""), "phase": pod.phase[:20], "ready": pod.ready,
        "unschedulable": pod.unschedulable, "restarts": pod.restarts,
        "cpu_millicores": pod.requests.cpu_millicores, "memory_bytes": pod.requests.memory_bytes, "seen_at": now,
    }  # fmt: skip


def _forget_unknown(session: Session, *, now: datetime) -> None:
    silent = sa.func.coalesce(Node.last_heartbeat_at, Node.first_seen_at) < now - rules.FORGOTTEN_AFTER
    forgotten = sa.delete(Node).where(Node.synced_at.is_(None), silent)
    session.execute(forgotten.execution_options(synchronize_session=False))


# --- what an agent says ----------------------------------------------------------------------------


def note_heartbeat(session: Session, beat: Heartbeat, *, sent_at: datetime, now: datetime) -> bool:
    """A node that is not known is made, as PENDING. False, and no change, for a report older than the last one."""
    node = session.scalar(sa.select(Node).where(Node.name == beat.node).with_for_update(**ROW_LOCK))
    if node is None:
        node = _welcome(session, beat.node, now=now)
    if node is None or (node.heartbeat_sent_at is not None and node.heartbeat_sent_at >= sent_at):
        return False
    node.last_heartbeat_at, node.heartbeat_sent_at = now, sent_at
    node.used, node.agent_version = beat.used.amounts(), beat.agent_version
    if node.synced_at is None:
        node.kubelet_version, node.runtime_version = beat.kubelet_version, beat.runtime_version
        node.operating_system, node.architecture = beat.operating_system, beat.architecture
        node.capacity = beat.capacity.amounts()
    _note_volumes(session, beat, now=now)
    return True


def _welcome(session: Session, name: str, *, now: datetime) -> Node | None:
    """None when so many are unknown that one more is no news."""
    unknown = sa.select(sa.func.count()).select_from(Node).where(Node.synced_at.is_(None))
    if (session.scalar(unknown) or 0) >= UNKNOWN_MAX:
        return None
    values = {"id": new_id(), "name": name, "first_seen_at": now}
    session.execute(upsert(Node).values(values).on_conflict_do_nothing(index_elements=["name"]))
    return session.scalar(sa.select(Node).where(Node.name == name).with_for_update(**ROW_LOCK))


def _note_volumes(session: Session, beat: Heartbeat, *, now: datetime) -> None:
    """Only of apps that the cluster says are on this node: an agent speaks for its own."""
    owners = {(one.namespace, one.claim): one.instance_id for one in queries.apps_on(session, beat.node) if one.claim}
    moment = now.replace(minute=now.minute - now.minute % SLICE_MINUTES, second=0, microsecond=0)
    rows = {
        owners[key]: {
            "instance_id": owners[key], "measured_at": moment,
            "used_bytes": volume.used_bytes, "capacity_bytes": volume.capacity_bytes,
        }
        for volume in beat.volumes
        if (key := (volume.namespace, volume.claim)) in owners
    }  # fmt: skip
    if rows:
        statement = upsert(VolumeUse)
        newer = {"used_bytes": statement.excluded.used_bytes, "capacity_bytes": statement.excluded.capacity_bytes}
        slot = ["instance_id", "measured_at"]
        session.execute(statement.on_conflict_do_update(index_elements=slot, set_=newer), list(rows.values()))


# --- what an operator does -------------------------------------------------------------------------


def locked(session: Session, node_id: UUID) -> Node:
    """The node with its row locked; `NodeNotFound`."""
    statement = sa.select(Node).where(Node.id == node_id).with_for_update(**ROW_LOCK)
    node = session.scalar(statement.execution_options(populate_existing=True))
    if node is None:
        raise NodeNotFound
    return node


def is_draining(session: Session, node_id: UUID) -> bool:
    return bool(
        session.scalar(sa.select(sa.exists().where(NodeDrain.node_id == node_id, NodeDrain.ended_at.is_(None))))
    )


def ask_cordon(session: Session, node_id: UUID, *, actor: Actor, now: datetime) -> Node:
    """Writes down who keeps new apps away; the caller tells the cluster next, then `record_schedulable`."""
    node = locked(session, node_id)
    _refuse_unless(rules.can_cordon(node))
    return _noted(session, node, "node.cordoned", actor, {"unschedulable": True}, now=now)


def ask_uncordon(session: Session, node_id: UUID, *, actor: Actor, now: datetime) -> Node:
    """Writes down who lets apps come again; otherwise as `ask_cordon`."""
    node = locked(session, node_id)
    _refuse_unless(rules.can_uncordon(node, draining=is_draining(session, node_id)))
    return _noted(session, node, "node.uncordoned", actor, {"unschedulable": False}, now=now)


def begin_maintenance(session: Session, node_id: UUID, *, actor: Actor, now: datetime) -> Node:
    """In an operator's hands: it counts as no room, nobody is alarmed. The caller cordons it next."""
    node = locked(session, node_id)
    _refuse_unless(rules.can_begin_maintenance(node))
    _noted(session, node, "node.maintenance_begun", actor, {"maintenance": True, "unschedulable": True}, now=now)
    node.maintenance_since = now
    return node


def end_maintenance(session: Session, node_id: UUID, *, actor: Actor, now: datetime) -> Node:
    """Back in service; the caller lets apps come again next, if the cluster still knows it."""
    node = locked(session, node_id)
    _refuse_unless(rules.can_end_maintenance(node, draining=is_draining(session, node_id)))
    _noted(session, node, "node.maintenance_ended", actor, {"maintenance": False, "unschedulable": False}, now=now)
    node.maintenance_since = None
    return node


def record_schedulable(session: Session, node_id: UUID, schedulable: bool) -> None:
    """What the cluster has just been told."""
    locked(session, node_id).unschedulable = not schedulable


def _refuse_unless(allowed: bool) -> None:
    if not allowed:
        raise NotInThisState


def _noted(session: Session, node: Node, action: str, actor: Actor, after: dict[str, bool], *, now: datetime) -> Node:
    before = queries.facts(node)
    audit.changed(
        session, actor, action, subject_kind="node", subject_id=node.id, before=before, after=before | after,
        name=node.name, now=now,
    )  # fmt: skip
    return node
