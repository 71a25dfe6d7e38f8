"""Nodes: how they look, the taints that follow their state, what a kubelet says of its own, and where volumes lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import events, metrics, quantities
from .cloning import clone
from .kinds import CLAIMS, LEASES, NODES, PERSISTENT_VOLUMES, PODS
from .refusals import not_found
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

LOCAL_CLASS = "local"
"""Volumes of this class lie on the node that their pod first came to, and cannot follow it elsewhere."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
UNSCHEDULABLE, UNREACHABLE = "node.kubernetes.io/unschedulable", "node.kubernetes.io/unreachable"
CAPACITY = {
    "cpu": "16", "ephemeral-storage": "264212084Ki", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
    "memory": "65536Mi", "pods": "110",
}  # fmt: skip
SYSTEM_CPU_MILLICORES, SYSTEM_MEMORY_BYTES, SYSTEM_STORAGE_BYTES = 180, 900 * 2**20, 9 * 2**30
"""What a node uses without any app."""


def add(cluster: Cluster, name: str) -> None:
    """A ready node with its Lease, as a kubelet registers it."""
    system = {"arch": "amd64", "os": "linux"}
    labels = {f"{prefix}kubernetes.io/{key}": value for prefix in ("beta.", "") for key, value in system.items()}
    labels["kubernetes.io/hostname"] = name
    notes = {
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }
    number = int(name.rpartition("-")[2]) - 1
    cidr = f"10.244.{number}.0/24"
    status = {
        "capacity": dict(CAPACITY),
        "allocatable": dict(CAPACITY),
        "conditions": _conditions(cluster, is_ready=True),
        "addresses": [
            {"type": "InternalIP", "address": f"10.0.0.{10 + number}"},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": _info(),
    }
    meta = {"name": name, "labels": labels, "annotations": notes}
    cluster.add(NODES, meta, {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}, "status": status})
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": cluster.clock.stamp_micro()}
    uid = cluster.store.objects[(NODES.key, "", name)]["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    lease = {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]}
    cluster.add(LEASES, lease, {"spec": spec})


def _info() -> dict[str, str]:
    info = dict.fromkeys(("bootID", "machineID", "systemUUID"), "sandbox")
    info |= {"architecture": "amd64", "operatingSystem": "linux", "osImage": "Sandbox Linux"}
    info |= {"containerRuntimeVersion": "containerd://2.0.0", "kernelVersion": "6.12.0"}
    return info | {"kubeletVersion": "v1.36.2", "kubeProxyVersion": ""}


def _conditions(cluster: Cluster, *, is_ready: bool) -> list[dict[str, Any]]:
    rows = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    if not is_ready:
        rows = [(row[0], "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.") for row in rows]
    now = cluster.clock.stamp()
    return [
        {"type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now}
        | {"reason": reason, "message": message}
        for kind, status, reason, message in rows
    ]


def set_ready(cluster: Cluster, name: str, is_ready: bool) -> None:
    """What the API shows once a kubelet has been silent for 50 s, or speaks again."""
    node = clone(cluster.store.objects[(NODES.key, "", name)])
    node["status"]["conditions"] = _conditions(cluster, is_ready=is_ready)
    cluster.store.update(NODES, node)
    _tell(cluster, node, "NodeReady" if is_ready else "NodeNotReady", "kubelet" if is_ready else "node-controller")


def tick(cluster: Cluster) -> None:
    """The node controller: taints follow the state a moment later, and cordoning is noted."""
    for node in cluster.store.list(NODES):
        kept = [one for one in node["spec"].get("taints", []) if one["key"] not in (UNSCHEDULABLE, UNREACHABLE)]
        before = {(one["key"], one["effect"]) for one in node["spec"].get("taints", [])}
        wanted = _taints(node)
        if before != {(one["key"], one["effect"]) for one in kept} | set(wanted):
            _taint(cluster, clone(node), kept, wanted)


def _taints(node: Object) -> list[tuple[str, str]]:
    wanted = [(UNSCHEDULABLE, "NoSchedule")] if node["spec"].get("unschedulable") else []
    if not is_ready(node):
        wanted += [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    return wanted


def _taint(cluster: Cluster, node: Object, kept: list[dict[str, Any]], wanted: list[tuple[str, str]]) -> None:
    had_cordon = any(one["key"] == UNSCHEDULABLE for one in node["spec"].get("taints", []))
    now = cluster.clock.stamp()
    taints = [*kept, *({"key": key, "effect": effect, "timeAdded": now} for key, effect in wanted)]
    node["spec"].pop("taints", None)
    node["spec"] |= {"taints": taints} if taints else {}
    cluster.store.update(NODES, node)
    if had_cordon != bool(node["spec"].get("unschedulable")):
        _tell(cluster, node, "NodeSchedulable" if had_cordon else "NodeNotSchedulable", "kubelet")


def _tell(cluster: Cluster, node: Object, reason: str, component: str) -> None:
    message = f"Node {node['metadata']['name']} status is now: {reason}"
    events.record(cluster, (NODES, node), reason, message, component=component)


def is_ready(node: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])


# where volumes lie


def pin(cluster: Cluster, pod: Object, node: str) -> None:
    """The first pod of a local volume decides where it lies."""
    for claim in claims_of(cluster, pod):
        if claim["spec"].get("storageClassName") == LOCAL_CLASS and not pinned_to(claim):
            placed = clone(claim)
            placed["metadata"].setdefault("annotations", {})[SELECTED_NODE] = node
            cluster.store.update(CLAIMS, placed)


def pinned_to(claim: Object) -> str:
    return str(claim["metadata"].get("annotations", {}).get(SELECTED_NODE, ""))


def claims_of(cluster: Cluster, pod: Object) -> list[Object]:
    names = [one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["spec"].get("volumes", [])]
    found = (cluster.store.get(CLAIMS, pod["metadata"]["namespace"], name) for name in names if name)
    return [claim for claim in found if claim is not None]


def volumes(cluster: Cluster) -> list[Object]:
    """The PersistentVolume behind every bound claim."""
    return [_volume(claim) for claim in cluster.store.list(CLAIMS) if claim["spec"].get("volumeName")]


def _volume(claim: Object) -> Object:
    meta, spec = claim["metadata"], claim["spec"]
    about = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"]}
    body: Object = {
        "capacity": claim["status"]["capacity"],
        "accessModes": spec["accessModes"],
        "persistentVolumeReclaimPolicy": "Delete",
        "storageClassName": spec["storageClassName"],
        "volumeMode": "Filesystem",
        "claimRef": about | {"name": meta["name"], "uid": meta["uid"]},
        "hostPath": {"path": f"/tmp/{spec['volumeName']}", "type": ""},
    }
    if pinned_to(claim):
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [pinned_to(claim)]}
        body["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
    kept = {"name": spec["volumeName"], "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    kept["creationTimestamp"] = meta["creationTimestamp"]
    return {"metadata": kept, "spec": body, "status": {"phase": "Bound"}}


# what a kubelet says of its own node


def summary(cluster: Cluster, name: str) -> dict[str, Any]:
    """`GET /stats/summary` of the kubelet. Source: k8s.io/kubelet/pkg/apis/stats/v1alpha1."""
    node = cluster.store.get(NODES, "", name)
    if node is None or not is_ready(node):
        raise not_found(NODES, name)
    here = [pod for pod in metrics.of_pods(cluster, "") if _runs_on(cluster, pod, name)]
    pods = [_pod_summary(cluster, pod) for pod in here]
    capacity = {key: int(quantities.parse(node["status"]["capacity"][key])) for key in ("memory", "ephemeral-storage")}
    cpu = SYSTEM_CPU_MILLICORES * 10**6 + sum(pod["cpu"]["usageNanoCores"] for pod in pods)
    memory = SYSTEM_MEMORY_BYTES + sum(pod["memory"]["workingSetBytes"] for pod in pods)
    used = SYSTEM_STORAGE_BYTES + len(pods) * 2**28
    now = cluster.clock.stamp()
    about = {
        "nodeName": name, "cpu": {"time": now, "usageNanoCores": cpu},
        "memory": {"time": now, "workingSetBytes": memory, "availableBytes": capacity["memory"] - memory},
        "fs": {"time": now, "usedBytes": used, "capacityBytes": capacity["ephemeral-storage"]},
    }  # fmt: skip
    return {"node": about, "pods": pods}


def _runs_on(cluster: Cluster, measured: Object, name: str) -> bool:
    meta = measured["metadata"]
    pod = cluster.store.get(PODS, meta["namespace"], meta["name"])
    return pod is not None and pod["spec"].get("nodeName") == name


def _pod_summary(cluster: Cluster, measured: Object) -> dict[str, Any]:
    meta, now = measured["metadata"], cluster.clock.stamp()
    used = [container["usage"] for container in measured["containers"]]
    cpu = sum(int(quantities.parse(one["cpu"]) * 10**9) for one in used)
    memory = sum(int(quantities.parse(one["memory"])) for one in used)
    pod = cluster.store.get(PODS, meta["namespace"], meta["name"])
    assert pod is not None
    about = {"name": meta["name"], "namespace": meta["namespace"], "uid": pod["metadata"]["uid"]}
    volumes_used = [_volume_summary(cluster, claim) for claim in claims_of(cluster, pod)]
    return {
        "podRef": about, "cpu": {"time": now, "usageNanoCores": cpu},
        "memory": {"time": now, "workingSetBytes": memory}, "volume": volumes_used,
    }  # fmt: skip


def _volume_summary(cluster: Cluster, claim: Object) -> dict[str, Any]:
    """It fills slowly, from a tenth to a half within a month."""
    meta = claim["metadata"]
    capacity = int(quantities.parse(claim["status"]["capacity"]["storage"]))
    age_s = max(0.0, cluster.clock.now_s() - cluster.clock.seconds(meta["creationTimestamp"]))
    used = capacity * (100 + min(400, int(age_s / 6480))) // 1000
    about = {"name": meta["name"], "namespace": meta["namespace"]}
    return {"name": "data", "pvcRef": about, "usedBytes": used, "capacityBytes": capacity, "inodesUsed": used // 65536}


__all__ = ["PERSISTENT_VOLUMES", "add", "pin", "pinned_to", "set_ready", "summary", "tick", "volumes"]
