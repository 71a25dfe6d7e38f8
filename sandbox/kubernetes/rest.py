"""Which namespaces are at rest: nothing in them has changed for a while, and nothing will by time alone.

Controllers look at the others only, so that a cluster of a thousand quiet apps costs no more than one that is empty.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from .faults import AILMENTS
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
        self._ailments: dict[int, str] = {}
        self._quiet_since_version = 0

    def awake(self, resource: Resource) -> list[Object]:
        """The objects of a kind, one that lives in namespaces, that a controller must look at."""
        names = filter(None, self.awake_namespaces())
        return [one for namespace in names for one in self._cluster.store.list(resource, namespace)]

    def awake_namespaces(self) -> list[str]:
        """Those in which something may happen, by name; what stands in no namespace is among them, under no name."""
        return sorted(name for name in self._cluster.store.versions if name not in self._at_rest)

    def is_quiet(self) -> bool:
        """Everything is at rest since the last look: another tick would change nothing."""
        return self._cluster.store.version == self._quiet_since_version and self._known_ailments() == self._ailments

    def look(self) -> None:
        """Once per tick: who woke up, who has come to rest. A switch that is turned wakes those it can touch."""
        self._wake_by_switches()
        now_s = self._cluster.clock.now_s()
        for namespace, version in self._cluster.store.versions.items():
            known = self._since.get(namespace)
            if known is None or known[0] != version:
                self._since[namespace] = (version, now_s)
        quiet = {name for name, (_, since_s) in self._since.items() if now_s - since_s >= QUIET_FOR_S}
        self._at_rest = {name for name in quiet if name in self._at_rest or self._is_steady(name)}
        is_all = len(self._at_rest) == len(self._since)
        self._quiet_since_version = self._cluster.store.version if is_all else 0

    def _wake_by_switches(self) -> None:
        known = self._known_ailments()
        turned = {pattern for _, pattern in known.items() ^ self._ailments.items()}
        self._ailments = known
        for pattern in turned:
            for namespace in fnmatch.filter(list(self._since), pattern):
                del self._since[namespace]

    def _known_ailments(self) -> dict[int, str]:
        return {fault.id: fault.namespace for fault in self._cluster.faults.items if fault.kind in AILMENTS}

    def _is_steady(self, namespace: str) -> bool:
        """Every pod that should be is there and ready; nothing waits for its time."""
        store = self._cluster.store
        pods = store.list(PODS, namespace)
        wanted = sum(one["spec"]["replicas"] for one in store.list(REPLICA_SETS, namespace))
        return len(pods) == wanted and all(_is_steady_pod(pod) for pod in pods)


def _is_steady_pod(pod: Object) -> bool:
    containers = pod.get("status", {}).get("containerStatuses") or []
    return not pod["metadata"].get("deletionTimestamp") and bool(containers) and all(one["ready"] for one in containers)
