"""Nodes: listed from the cluster, and emptied step by step.

A drain asks few pods at a time to leave, and goes on when their successors are ready elsewhere. Every step looks at
the cluster anew, so it may run twice or die at any line.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.nodes import actions, drains
from portal.nodes.models import MoveState, NodeMove
from portal.provisioning import nodes as cluster
from portal.provisioning.errors import ClusterUnavailable, Missing, Refused
from portal.provisioning.nodes import Eviction, PodFound

log = structlog.get_logger()

LOOK_AGAIN, TRY_AGAIN = timedelta(seconds=5), timedelta(seconds=20)
ANSWERS = {
    Eviction.ASKED: MoveState.LEAVING,
    Eviction.GONE: MoveState.LEAVING,
    Eviction.BLOCKED: MoveState.BLOCKED,
}


def sync() -> str | dict[str, int]:
    """Every five minutes: all nodes, and where every app is. Half an answer changes nothing."""
    try:
        found, pods = cluster.read_nodes(), list(cluster.read_pods())
    except (ClusterUnavailable, Refused) as error:
        log.warning("nodes.no_answer", code=error.code, **error.details)
        return "the cluster did not answer"
    with transaction() as session:
        return actions.sync(session, found, pods, now=clock.now())


def drain(drain_id: str) -> None:
    """One step: looks how those who left are doing, asks the next to leave, and comes again."""
    found = drains.under_way(db.session(), UUID(drain_id))
    if found is None:
        return None
    name, moves = drains.node_of(db.session(), found), list(found.moves)
    try:
        cluster.set_schedulable(name, False)
        seen = _step(name, moves)
    except Missing:
        seen = {move.id: MoveState.MOVED for move in moves}  # the node is gone, and all that was on it
    except (ClusterUnavailable, Refused) as error:
        return _record_trouble(UUID(drain_id), error)
    with transaction() as session:
        actions.record_schedulable(session, found.node_id, False)
        over = drains.record(session, UUID(drain_id), seen, now=clock.now())
        _go_on(session, over, LOOK_AGAIN)
    return None


def _step(name: str, moves: list[NodeMove]) -> dict[UUID, MoveState]:
    here = {pod.uid: pod for pod in cluster.read_pods(name)}
    seen = {move.id: _look(move, here.get(move.uid), name) for move in moves if move.state not in drains.OVER}
    for move in moves:
        move.state = seen.get(move.id, MoveState(move.state))
    for move in drains.may_ask(moves):
        seen[move.id] = _ask(here[move.uid])
    return seen


def _look(move: NodeMove, pod: PodFound | None, name: str) -> MoveState:
    """Still there, leaving, or gone; and then how its successor is."""
    if pod is not None:
        return MoveState.LEAVING if pod.leaving else _not_asked(move)
    if move.instance_id is None:
        return MoveState.MOVED
    others = [one for one in cluster.read_pods_of_instance(move.instance_id) if not one.leaving]
    if not others or any(one.ready for one in others):
        return MoveState.MOVED  # it is up again, or it is not meant to run any more
    return MoveState.NO_ROOM if any(one.unschedulable for one in others) else MoveState.LEAVING


def _not_asked(move: NodeMove) -> MoveState:
    """A pod that was asked and is not leaving lost the question on its way: it is asked again."""
    return MoveState.BLOCKED if move.state == MoveState.BLOCKED else MoveState.WAITING


def _ask(pod: PodFound) -> MoveState:
    try:
        return ANSWERS[cluster.evict(pod)]
    except Refused as error:
        log.warning("nodes.eviction_refused", namespace=pod.namespace, pod=pod.name, **error.details)
        return MoveState.REFUSED


def _record_trouble(drain_id: UUID, error: ClusterUnavailable | Refused) -> None:
    log.warning("nodes.drain_waits", drain=str(drain_id), code=error.code, **error.details)
    with transaction() as session:
        over = drains.record_trouble(session, drain_id, error.code, now=clock.now())
        _go_on(session, over, TRY_AGAIN)


def _go_on(session: Session, over: bool, after: timedelta) -> None:
    if over:
        outbox.complete(session, now=clock.now())
    else:
        outbox.again(session, now=clock.now(), after=after)
