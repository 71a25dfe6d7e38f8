"""Events, in the two shapes that real components write: the old one with counts, the scheduler's without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cloning import clone
from .kinds import EVENTS, Resource
from .store import Object, new_uid

if TYPE_CHECKING:
    from .cluster import Cluster

OF_NO_NAMESPACE = "default"
"""Where events about nodes are kept."""


def record(
    cluster: Cluster,
    about: tuple[Resource, Object],
    reason: str,
    message: str,
    *,
    component: str,
    warning: bool = False,
    container: str = "",
) -> None:
    """An event of the old shape. The same words about the same object are folded: `count` grows."""
    resource, obj = about
    involved = _involved(resource, obj, container)
    node = _node_of(resource, obj) if component == "kubelet" else ""
    same = _find_same(cluster, involved, reason, message)
    if same is not None:
        again = clone(same)
        again["count"] += 1
        again["lastTimestamp"] = cluster.clock.stamp()
        cluster.store.update(EVENTS, again)
        return
    event = _base(cluster, involved, reason, message, warning)
    now = cluster.clock.stamp()
    source = {"component": component} | ({"host": node} if node else {})
    event |= {"source": source, "firstTimestamp": now, "lastTimestamp": now, "count": 1, "eventTime": None}
    cluster.store.add(EVENTS, event | {"reportingComponent": component, "reportingInstance": node})


def _node_of(resource: Resource, obj: Object) -> str:
    return str(obj["metadata"]["name"] if resource.kind == "Node" else obj.get("spec", {}).get("nodeName", ""))


def record_scheduling(cluster: Cluster, about: tuple[Resource, Object], reason: str, message: str) -> None:
    """An event of the scheduler: `eventTime` instead of timestamps, no count."""
    action = "Binding" if reason == "Scheduled" else "Scheduling"
    event = _base(cluster, _involved(*about, ""), reason, message, reason != "Scheduled")
    event |= {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": cluster.clock.stamp_micro(),
    }
    event |= {"action": action, "reportingComponent": "default-scheduler"}
    cluster.store.add(EVENTS, event | {"reportingInstance": "default-scheduler-vm"})


def _involved(resource: Resource, obj: Object, container: str) -> dict[str, Any]:
    meta = obj["metadata"]
    if not resource.namespaced:
        return {"kind": resource.kind, "name": meta["name"], "uid": meta["uid"], "apiVersion": resource.api_version}
    about = {"kind": resource.kind, "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    about |= {"apiVersion": resource.api_version, "resourceVersion": meta["resourceVersion"]}
    return about | ({"fieldPath": f"spec.containers{{{container}}}"} if container else {})


def _find_same(cluster: Cluster, involved: dict[str, Any], reason: str, message: str) -> Object | None:
    for event in cluster.store.list(EVENTS, involved.get("namespace", OF_NO_NAMESPACE)):
        is_same = event["involvedObject"]["uid"] == involved["uid"] and "count" in event
        if is_same and event["reason"] == reason and event["message"] == message:
            return event
    return None


def _base(cluster: Cluster, involved: dict[str, Any], reason: str, message: str, warning: bool) -> Object:
    cluster.event_count += 1
    stamp = int(cluster.clock.now_s() * 1_000_000) * 1000 + cluster.event_count % 1000
    meta = {"name": f"{involved['name']}.{stamp:x}", "namespace": involved.get("namespace", OF_NO_NAMESPACE)}
    event: Object = {"metadata": meta | {"uid": new_uid(), "creationTimestamp": cluster.clock.stamp()}}
    event |= {"involvedObject": involved, "reason": reason, "message": message}
    return event | {"type": "Warning" if warning else "Normal"}


_NEW_NAMES = {
    "involvedObject": "regarding", "message": "note", "source": "deprecatedSource", "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp", "lastTimestamp": "deprecatedLastTimestamp",
    "reportingComponent": "reportingController",
}  # fmt: skip


def as_new_event(event: Object) -> Object:
    """The same event as events.k8s.io/v1 words it."""
    return {_NEW_NAMES.get(key, key): value for key, value in event.items()}
