"""The ReplicaSet controller: as many pods as asked for, and the reason when there cannot be."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import admission, defaults, deletion, events
from .cloning import clone
from .kinds import PODS, REPLICA_SETS
from .refusals import Refusal
from .store import Object, new_uid

if TYPE_CHECKING:
    from .cluster import Cluster

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
RETRY_MAX_S = 30.0


def tick(cluster: Cluster) -> None:
    for item in cluster.rest.awake(REPLICA_SETS):
        notes = cluster.runtime.setdefault(item["metadata"]["uid"], {})
        if notes.setdefault("seen", False):
            _sync(cluster, clone(item), notes)
        notes["seen"] = True


def _sync(cluster: Cluster, item: Object, notes: dict[str, Any]) -> None:
    pods = [pod for pod in cluster.store.list(PODS, item["metadata"]["namespace"]) if _owns(item, pod)]
    active = [pod for pod in pods if _is_active(pod)]
    missing = item["spec"]["replicas"] - len(active)
    if not item["metadata"].get("deletionTimestamp"):
        if missing > 0 and cluster.clock.now_s() >= notes.get("retry_at_s", 0):
            _create_pods(cluster, item, missing, notes)
        elif missing <= 0:
            notes.pop("failure", None)
            _delete_pods(cluster, item, active, -missing)
    _write_status(cluster, item, pods, active, notes)


def _owns(item: Object, pod: Object) -> bool:
    return any(ref["uid"] == item["metadata"]["uid"] for ref in pod["metadata"].get("ownerReferences", []))


def _is_active(pod: Object) -> bool:
    is_over = pod["status"].get("phase") in ("Succeeded", "Failed")
    return not is_over and not pod["metadata"].get("deletionTimestamp")


def _create_pods(cluster: Cluster, item: Object, count: int, notes: dict[str, Any]) -> None:
    notes.pop("failure", None)
    for _ in range(count):
        try:
            pod = _create_pod(cluster, item)
        except Refusal as refusal:
            _note_failure(cluster, item, notes, refusal)
            return
        notes["retry_s"] = 0.5
        message = f"Created pod: {pod['metadata']['name']}"
        events.record(cluster, (REPLICA_SETS, item), "SuccessfulCreate", message, component="replicaset-controller")


def _note_failure(cluster: Cluster, item: Object, notes: dict[str, Any], refusal: Refusal) -> None:
    """The next try comes after a growing pause, so a fix is not seen at once."""
    pause_s = min(notes.get("retry_s", 0.5) * 2, RETRY_MAX_S)
    notes |= {"failure": refusal.message, "retry_s": pause_s, "retry_at_s": cluster.clock.now_s() + pause_s}
    message, about = f"Error creating: {refusal.message}", (REPLICA_SETS, item)
    events.record(cluster, about, "FailedCreate", message, component="replicaset-controller", warning=True)


def _create_pod(cluster: Cluster, item: Object) -> Object:
    meta, template = item["metadata"], clone(item["spec"]["template"])
    prefix = f"{meta['name']}-"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": meta["name"], "uid": meta["uid"]}
    pod_meta = {
        "generateName": prefix,
        "namespace": meta["namespace"],
        "labels": template["metadata"].get("labels", {}),
    }
    if template["metadata"].get("annotations"):
        pod_meta["annotations"] = template["metadata"]["annotations"]
    pod_meta["ownerReferences"] = [owner | {"controller": True, "blockOwnerDeletion": True}]
    pod = {"metadata": pod_meta | {"name": ""}, "spec": template["spec"]}
    return create_pod(cluster, pod, name=prefix + "".join(random.choices(_ALPHABET, k=5)))


def create_pod(cluster: Cluster, pod: Object, *, name: str) -> Object:
    """Admits and stores a pod, for a ReplicaSet; raises the Refusal that the server would answer."""
    namespace = pod["metadata"]["namespace"]
    admission.admit_namespace(cluster.store, PODS, namespace, name)
    defaults.fill(PODS, pod)
    admission.complete(cluster.store, PODS, pod)
    pod["metadata"] |= {
        "name": name,
        "uid": new_uid(),
        "generation": 1,
        "creationTimestamp": cluster.clock.stamp(),
    }
    admission.admit_creation(cluster.store, PODS, pod)
    finish_pod(pod)
    return cluster.store.add(PODS, pod)


def finish_pod(pod: Object) -> None:
    """What every admitted pod has, whoever made it."""
    spec = pod["spec"]
    tolerate = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    spec.setdefault(
        "tolerations",
        [{"key": f"node.kubernetes.io/{key}"} | tolerate for key in ("not-ready", "unreachable")],
    )
    spec |= {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"}
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: dict[str, Any]) -> str:
    resources = [container.get("resources", {}) for container in spec["containers"]]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    is_even = all(item.get("limits") and item.get("limits") == item.get("requests") for item in resources)
    return "Guaranteed" if is_even else "Burstable"


def _delete_pods(cluster: Cluster, item: Object, active: list[Object], count: int) -> None:
    for pod in sorted(active, key=lambda pod: (_is_ready(pod), pod["metadata"]["creationTimestamp"]))[:count]:
        deletion.delete(cluster, PODS, pod)
        message = f"Deleted pod: {pod['metadata']['name']}"
        events.record(cluster, (REPLICA_SETS, item), "SuccessfulDelete", message, component="replicaset-controller")


def _is_ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def _is_available(cluster: Cluster, item: Object, pod: Object) -> bool:
    wait_s = item["spec"].get("minReadySeconds", 0)
    ready = next((one for one in pod["status"].get("conditions", []) if one["type"] == "Ready"), None)
    if ready is None or ready["status"] != "True":
        return False
    return cluster.clock.now_s() >= datetime.fromisoformat(ready["lastTransitionTime"]).timestamp() + wait_s


def _write_status(
    cluster: Cluster, item: Object, pods: list[Object], active: list[Object], notes: dict[str, Any]
) -> None:
    ready = [pod for pod in active if _is_ready(pod)]
    counts = {
        "fullyLabeledReplicas": len(active),
        "readyReplicas": len(ready),
        "availableReplicas": sum(_is_available(cluster, item, pod) for pod in ready),
    }
    status: dict[str, Any] = {"replicas": len(active)} | {name: count for name, count in counts.items() if count}
    over = ("Succeeded", "Failed")
    leaving = [pod for pod in pods if pod["metadata"].get("deletionTimestamp") and pod["status"]["phase"] not in over]
    status |= {"terminatingReplicas": len(leaving), "observedGeneration": item["metadata"]["generation"]}
    if "failure" in notes:
        status["conditions"] = [_failure(cluster, item, notes["failure"])]
    item["status"] = status
    cluster.store.update(REPLICA_SETS, item)


def _failure(cluster: Cluster, item: Object, message: str) -> dict[str, str]:
    before: dict[str, str] = next(iter(item["status"].get("conditions", [])), {})
    since = before.get("lastTransitionTime", cluster.clock.stamp())
    made = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": since}
    return made | {"reason": "FailedCreate", "message": before.get("message", message)}
