"""The scheduler: which node a pod goes to, or the sentence that says why none will do."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import nodes as node_life
from . import quantities
from .kinds import CLAIMS, NODES, PODS
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

FITS_BY = ("cpu", "memory")


def place(cluster: Cluster, pod: Object) -> tuple[str, Object | None]:
    """Why the pod fits nowhere, or the node it goes to (the one with most memory free)."""
    nodes = cluster.store.list(NODES)
    count = f"0/{len(nodes)}"
    problem = _claim_problem(cluster, pod)
    if problem:
        return f"{count} nodes are available: {problem} not found", None
    fitting = [node for node in nodes if not node["spec"].get("unschedulable") and node_life.is_ready(node)]
    if not fitting:
        return _nowhere(count, f"{len(nodes)} node(s) were unschedulable"), None
    pins = {node_life.pinned_to(claim) for claim in node_life.claims_of(cluster, pod)} - {""}
    if pins:
        fitting = [node for node in fitting if {node["metadata"]["name"]} == pins]
        if not fitting:
            return _nowhere(count, f"{len(nodes)} node(s) didn't match PersistentVolume's node affinity"), None
    if cluster.faults.of_pod(pod, "unschedulable"):
        return _nowhere(count, f"{len(nodes)} Insufficient cpu"), None
    free = _free(cluster, fitting)
    for name in FITS_BY:
        fitting = [node for node in fitting if free[_name(node)][name] >= _request(pod["spec"], name)]
        if not fitting:
            return _nowhere(count, f"{len(nodes)} Insufficient {name}"), None
    return "", max(fitting, key=lambda node: free[_name(node)]["memory"])


def _nowhere(count: str, why: str) -> str:
    preemption = f"preemption: {count} nodes are available: 1 Preemption is not helpful for scheduling."
    return f"{count} nodes are available: {why}. no new claims to deallocate, {preemption}"


def _claim_problem(cluster: Cluster, pod: Object) -> str:
    is_ill = cluster.faults.of_pod(pod, "volume-missing") is not None
    for volume in pod["spec"].get("volumes", []):
        name = volume.get("persistentVolumeClaim", {}).get("claimName")
        if name is None:
            continue
        claim = cluster.store.get(CLAIMS, pod["metadata"]["namespace"], name)
        if claim is None or is_ill:
            return f'persistentvolumeclaim "{name}" not found.'
        if claim["status"]["phase"] != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims."
    return 'persistentvolumeclaim "data" not found.' if is_ill else ""


def _free(cluster: Cluster, nodes: list[Object]) -> dict[str, dict[str, Fraction]]:
    """What each node has left, by resource."""
    free = {
        _name(node): {name: quantities.parse(node["status"]["allocatable"][name]) for name in FITS_BY} for node in nodes
    }
    for pod in cluster.store.list(PODS):
        for name in FITS_BY:
            if (here := pod["spec"].get("nodeName")) in free:
                free[here][name] -= _request(pod["spec"], name)
    return free


def _name(node: Object) -> str:
    return str(node["metadata"]["name"])


def _request(spec: dict[str, Any], name: str) -> Fraction:
    requests = [item.get("resources", {}).get("requests", {}).get(name, "0") for item in spec["containers"]]
    return sum((quantities.parse(value) for value in requests), Fraction(0))
