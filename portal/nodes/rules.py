"""How a node stands, what may be done with it, what fits on it. Pure; `now` is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.nodes.models import Node, NodeStatus
from portal.provisioning.nodes import Amounts, PodFound

HEARTBEAT_EVERY = timedelta(seconds=30)
SILENT_AFTER = timedelta(seconds=90)
"""Three heartbeats missed: the node is offline."""

FORGOTTEN_AFTER = timedelta(days=1)
"""A node that only its agent knows is forgotten when it has been silent so long."""


def is_online(last_heartbeat_at: datetime | None, *, now: datetime) -> bool:
    """Its agent has spoken lately."""
    return last_heartbeat_at is not None and now - last_heartbeat_at < SILENT_AFTER


def status_of(node: Node, *, now: datetime) -> NodeStatus:
    """What an operator set comes first, then whether the cluster knows it, then the newest word on its health.

    A kubelet's word reaches us through the API every five minutes; an agent that fell silent after the last of them is
    the newer word. One that is silent since before it says nothing about the node. `queries.status` says the same in
    SQL.
    """
    if node.maintenance_since is not None:
        return NodeStatus.MAINTENANCE
    if node.gone_at is not None:
        return NodeStatus.INACTIVE
    if node.synced_at is None:
        return NodeStatus.PENDING
    if not node.ready or fell_silent(node, now=now):
        return NodeStatus.NOT_READY
    return NodeStatus.INACTIVE if node.unschedulable else NodeStatus.ACTIVE


def fell_silent(node: Node, *, now: datetime) -> bool:
    """Its agent has been heard, is not any more, and nobody has vouched for the node since."""
    if node.last_heartbeat_at is None or is_online(node.last_heartbeat_at, now=now):
        return False
    return node.synced_at is None or node.synced_at < node.last_heartbeat_at + SILENT_AFTER


def is_known(node: Node) -> bool:
    """The cluster lists it, so that it can be cordoned and drained."""
    return node.synced_at is not None and node.gone_at is None


def can_cordon(node: Node) -> bool:
    return is_known(node) and not node.unschedulable


def can_uncordon(node: Node, *, draining: bool) -> bool:
    """Not while it is being emptied, nor in maintenance: that ends by its own word."""
    return is_known(node) and node.unschedulable and not draining and node.maintenance_since is None


def can_begin_maintenance(node: Node) -> bool:
    return is_known(node) and node.maintenance_since is None


def can_end_maintenance(node: Node, *, draining: bool) -> bool:
    return node.maintenance_since is not None and not draining


def can_drain(node: Node, *, draining: bool) -> bool:
    return is_known(node) and not draining


def share(part: int, whole: int) -> int:
    """Percent, rounded; zero of nothing."""
    return round(100 * part / whole) if whole else 0


# --- room ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """A plan with slots that are for sale: what one app of it requests, and how many more may be sold."""

    name: str
    needs: Amounts
    unsold: int


@dataclass(frozen=True)
class Fitting:
    """An offer against the nodes: how many apps of it alone would still fit."""

    offer: Offer
    fits: int

    @property
    def short(self) -> int:
        """How many of the unsold slots have no room even if nothing else is sold."""
        return max(self.offer.unsold - self.fits, 0)


@dataclass(frozen=True)
class Overselling:
    """What is for sale against what is free. Apps that are stopped or suspended request nothing, and are not in it."""

    offers: Sequence[Fitting]
    needed: Amounts
    free: Amounts

    @property
    def short(self) -> list[str]:
        """Of what there is not enough for every slot: `cpu`, `memory`, `pods`."""
        pairs = {
            "cpu": (self.needed.cpu_millicores, self.free.cpu_millicores),
            "memory": (self.needed.memory_bytes, self.free.memory_bytes),
            "pods": (self.needed.pods, self.free.pods),
        }
        return [name for name, (needed, free) in pairs.items() if needed > free]

    @property
    def is_oversold(self) -> bool:
        return bool(self.short) or any(one.short for one in self.offers)


def overselling(offers: Iterable[Offer], rooms: Sequence[Amounts]) -> Overselling:
    """Compares every unsold slot with the free room of the nodes that take new apps; `rooms` one per node."""
    sellable = [one for one in offers if one.unsold > 0]
    needed, free = Amounts(), Amounts()
    for offer in sellable:
        needed += _times(offer.needs, offer.unsold)
    for room in rooms:
        free += room
    fittings = [Fitting(offer, sum(fits(room, offer.needs) for room in rooms)) for offer in sellable]
    return Overselling(sorted(fittings, key=lambda one: (-one.short, one.offer.name)), needed, free)


def fits(room: Amounts, needs: Amounts) -> int:
    """How many times `needs` goes into one node's room. The disk is left out: volumes lie elsewhere."""
    pairs = (
        (room.cpu_millicores, needs.cpu_millicores),
        (room.memory_bytes, needs.memory_bytes),
        (room.pods, needs.pods),
    )
    return max(0, min((have // need for have, need in pairs if need), default=0))


def _times(amounts: Amounts, count: int) -> Amounts:
    cpu, memory, storage, pods = (each * count for each in amounts.each())
    return Amounts(cpu, memory, storage, pods)


# --- a drain, planned ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A node that may take in what another one loses."""

    name: str
    room: Amounts
    hostname: str


def plan(
    pods: Iterable[PodFound], places: Sequence[Place], pins: Mapping[tuple[str, str], frozenset[str]]
) -> dict[str, str]:
    """Where each pod could go, by its uid; an empty name when nowhere. Largest first, each to the emptiest place.

    An estimate: the scheduler decides, by more than this.
    """
    rooms = {place.name: place.room for place in places}
    found: dict[str, str] = {}
    for pod in sorted(pods, key=lambda one: (-one.requests.memory_bytes, one.uid)):
        reachable = _reachable(pod, places, pins)
        fitting = [name for name in reachable if fits(rooms[name], pod.requests)]
        found[pod.uid] = max(fitting, key=lambda name: rooms[name].memory_bytes, default="")
        if found[pod.uid]:
            rooms[found[pod.uid]] -= pod.requests
    return found


def is_pinned(pod: PodFound, pins: Mapping[tuple[str, str], frozenset[str]]) -> bool:
    """Its volume lies on a node and cannot follow it."""
    return any((pod.namespace, claim) in pins for claim in pod.claims)


def _reachable(pod: PodFound, places: Sequence[Place], pins: Mapping[tuple[str, str], frozenset[str]]) -> list[str]:
    hosts = [pins[(pod.namespace, claim)] for claim in pod.claims if (pod.namespace, claim) in pins]
    return [place.name for place in places if all(place.hostname in each for each in hosts)]
