"""Which namespaces are at rest: nothing in them has changed for a while, and nothing will by time alone.

Controllers look at the others only, so that a cluster of a thousand quiet apps costs no more than one that is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import PODS, REPLICA_SETS, Resource
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

QUIET_FOR_S = 60.0


class Rest:
    """Remembers since which version, and when, each namespace has stood as it is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._since: dict[str, tuple[int, float]] = {}
        self._at_rest: set[str] = set()
        self._faults: list[int] = []

    def awake(self, resource: Resource) -> list[Object]:
        """The objects of a kind that a controller must look at."""
        return [one for one in self._cluster.store.list(resource) if not self.is_at_rest(one["metadata"]["namespace"])]

    def is_at_rest(self, namespace: str) -> bool:
        return namespace in self._at_rest

    def look(self) -> None:
        """Once per tick: who woke up, who has come to rest. A switch that is turned wakes everybody."""
        faults = [fault.id for fault in self._cluster.faults.items]
        if faults != self._faults:
            self._faults = faults
            self._since.clear()
        now_s = self._cluster.clock.now_s()
        for namespace, version in self._cluster.store.versions.items():
            known = self._since.get(namespace)
            if known is None or known[0] != version:
                self._since[namespace] = (version, now_s)
        quiet = {name for name, (_, since_s) in self._since.items() if now_s - since_s >= QUIET_FOR_S}
        self._at_rest = {name for name in quiet if name in self._at_rest or self._is_steady(name)}

    def _is_steady(self, namespace: str) -> bool:
        """Every pod that should be is there and ready; nothing waits for its time."""
        store = self._cluster.store
        pods = store.list(PODS, namespace)
        wanted = sum(one["spec"]["replicas"] for one in store.list(REPLICA_SETS, namespace))
        return len(pods) == wanted and all(_is_steady_pod(pod) for pod in pods)


def _is_steady_pod(pod: Object) -> bool:
    containers = pod.get("status", {}).get("containerStatuses") or []
    return not pod["metadata"].get("deletionTimestamp") and bool(containers) and all(one["ready"] for one in containers)
