"""Emptying a node: begun and called off by an operator, carried on step by step by `jobs.nodes.drain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.core.ids import new_id, parse_id
from portal.nodes import actions, rules
from portal.nodes.errors import NodeNotFound, NothingToMove, NotInThisState
from portal.nodes.models import DrainState, MoveState, Node, NodeDrain, NodeMove
from portal.provisioning.nodes import PodFound

AT_ONCE = 2
"""So many apps are down because of a drain at any moment."""

TIME_MAX = timedelta(hours=2)
"""What has not moved by then needs a person."""

OVER = frozenset({MoveState.MOVED, MoveState.REFUSED})
IN_MOTION = frozenset({MoveState.LEAVING, MoveState.NO_ROOM})


def movable(pods: Sequence[PodFound]) -> list[PodFound]:
    """What a drain moves: all but what belongs to the node, and what nobody would make anew."""
    return [pod for pod in pods if not pod.stays and not pod.leaving]


def start(session: Session, node_id: UUID, pods: Sequence[PodFound], *, actor: Actor, now: datetime) -> NodeDrain:
    """Begins to move these pods and queues the first step, which also cordons the node.

    A repeat while one is under way is refused, as is a drain of a node with nothing to move.
    """
    node = actions.locked(session, node_id)
    if not rules.can_drain(node, draining=actions.is_draining(session, node_id)):
        raise NotInThisState
    moving = movable(pods)
    if not moving:
        raise NothingToMove
    drain = NodeDrain(id=new_id(), node_id=node.id, state=DrainState.RUNNING, started_by=actor.user_id, started_at=now)
    session.add(drain)
    session.flush()
    session.add_all([_move(drain.id, pod) for pod in moving])
    audit.changed(
        session, actor, "node.drain_started", subject_kind="node", subject_id=node.id, name=node.name,
        before={"draining": False}, after={"draining": True}, pods=len(moving), drain=str(drain.id), now=now,
    )  # fmt: skip
    outbox.enqueue(session, "nodes.drain", drain_id=drain.id)
    return drain


def cancel(session: Session, node_id: UUID, *, actor: Actor, now: datetime) -> None:
    """Moves nothing more. What has gone is gone; the node stays cordoned until somebody lets apps come again."""
    node = actions.locked(session, node_id)
    statement = sa.select(NodeDrain).where(NodeDrain.node_id == node_id, NodeDrain.ended_at.is_(None))
    drain = session.scalar(statement.with_for_update())
    if drain is None:
        raise NotInThisState
    _end(drain, DrainState.CANCELLED, now=now)
    audit.changed(
        session, actor, "node.drain_cancelled", subject_kind="node", subject_id=node.id, name=node.name,
        before={"draining": True}, after={"draining": False}, drain=str(drain.id), now=now,
    )  # fmt: skip


def under_way(session: Session, drain_id: UUID, *, lock: bool = False) -> NodeDrain | None:
    """The drain with its moves; None when it has ended or never was."""
    statement = sa.select(NodeDrain).where(NodeDrain.id == drain_id, NodeDrain.ended_at.is_(None))
    statement = statement.options(selectinload(NodeDrain.moves)).execution_options(populate_existing=True)
    return session.scalar(statement.with_for_update() if lock else statement)


def may_ask(moves: Sequence[NodeMove]) -> list[NodeMove]:
    """Whom to ask to leave next. Nobody while one that left has found no room: more would only be down too."""
    moving = [one for one in moves if one.state in IN_MOTION]
    if any(one.state == MoveState.NO_ROOM for one in moving):
        return []
    waiting = [one for one in moves if one.state in (MoveState.WAITING, MoveState.BLOCKED)]
    waiting.sort(key=lambda one: (one.state == MoveState.BLOCKED, one.id))
    return waiting[: max(0, AT_ONCE - len(moving))]


def record(session: Session, drain_id: UUID, seen: Mapping[UUID, MoveState], *, now: datetime) -> bool:
    """What a step has found and done, by move. True when the drain is over."""
    drain = under_way(session, drain_id, lock=True)
    if drain is None:
        return True
    for move in drain.moves:
        if move.id in seen and move.state not in OVER:
            _become(move, seen[move.id], now=now)
    drain.trouble = ""
    if all(move.state in OVER for move in drain.moves):
        refused = any(move.state == MoveState.REFUSED for move in drain.moves)
        _end(drain, DrainState.INCOMPLETE if refused else DrainState.DONE, now=now)
    elif now - drain.started_at > TIME_MAX:
        _end(drain, DrainState.INCOMPLETE, now=now)
    return drain.ended_at is not None


def record_trouble(session: Session, drain_id: UUID, code: str, *, now: datetime) -> bool:
    """The cluster did not answer: it goes on later. True when its time is up."""
    drain = under_way(session, drain_id, lock=True)
    if drain is None:
        return True
    drain.trouble = code[:60]
    if now - drain.started_at > TIME_MAX:
        _end(drain, DrainState.INCOMPLETE, now=now)
    return drain.ended_at is not None


def node_of(session: Session, drain: NodeDrain) -> str:
    """The name of the node it empties."""
    name = session.scalar(sa.select(Node.name).where(Node.id == drain.node_id))
    if name is None:
        raise NodeNotFound
    return name


def _move(drain_id: UUID, pod: PodFound) -> NodeMove:
    instance_id = parse_id(pod.instance) if pod.instance else None
    return NodeMove(
        id=new_id(), drain_id=drain_id, namespace=pod.namespace, pod=pod.name, uid=pod.uid, instance_id=instance_id,
        state=MoveState.WAITING,
    )  # fmt: skip


def _become(move: NodeMove, state: MoveState, *, now: datetime) -> None:
    if state == MoveState.LEAVING and move.asked_at is None:
        move.asked_at = now
    if state in OVER and move.ended_at is None:
        move.ended_at = now
    move.state = state


def _end(drain: NodeDrain, state: DrainState, *, now: datetime) -> None:
    drain.state, drain.ended_at, drain.trouble = state, now, ""
