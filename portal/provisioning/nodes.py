"""The cluster's nodes and what runs on them: list, look, keep new pods away, move pods off. Outside of transactions.

Raises `ClusterUnavailable` or `Refused` like `cluster`. Every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portal.provisioning import quantities
from portal.provisioning.cluster import PAGE_TIMEOUT_S
from portal.provisioning.connection import connection
from portal.provisioning.errors import ClusterUnavailable, Missing, Refused
from portal.provisioning.listing import pages
from portal.provisioning.manifests import FIELD_MANAGER, INSTANCE_LABEL
from portal.provisioning.observed import ClusterEvent, read_event

NODES, PODS, VOLUMES = "/api/v1/nodes", "/api/v1/pods", "/api/v1/persistentvolumes"
EVENTS = "/api/v1/namespaces/default/events"
"""Events about nodes stand in the namespace `default`."""

ALIVE = "status.phase!=Succeeded,status.phase!=Failed"
MIRROR = "kubernetes.io/config.mirror"
HOSTNAME = "kubernetes.io/hostname"
MERGE_PATCH = "application/merge-patch+json"
CONFLICT = 409

Json = dict[str, Any]


@dataclass(frozen=True)
class Amounts:
    """Processor in millicores, memory and disk in bytes, and a count of pods."""

    cpu_millicores: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    pods: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(mine + theirs for mine, theirs in zip(self.each(), other.each(), strict=True)))

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(*(mine - theirs for mine, theirs in zip(self.each(), other.each(), strict=True)))

    def each(self) -> tuple[int, int, int, int]:
        return self.cpu_millicores, self.memory_bytes, self.storage_bytes, self.pods


@dataclass(frozen=True)
class NodeFound:
    """A node as the API shows it. `ready` is its kubelet's word, and false when that has stopped speaking."""

    name: str
    ready: bool
    unschedulable: bool
    labels: dict[str, str]
    taints: list[str]
    architecture: str
    operating_system: str
    kubelet_version: str
    runtime_version: str
    capacity: Amounts
    allocatable: Amounts


@dataclass(frozen=True)
class PodFound:
    """A pod that has not ended. `claims` are its volumes; `controller` is the kind that makes it anew, if any."""

    namespace: str
    name: str
    uid: str
    node: str = ""
    instance: str = ""  # our label, empty on what is not ours
    claims: tuple[str, ...] = ()
    requests: Amounts = field(default_factory=Amounts)
    phase: str = ""
    ready: bool = False
    unschedulable: bool = False
    restarts: int = 0
    leaving: bool = False
    controller: str = ""
    mirror: bool = False

    @property
    def stays(self) -> bool:
        """It belongs to its node (a DaemonSet's, or the kubelet's own), or nobody would make it anew."""
        return self.mirror or self.controller in ("DaemonSet", "Node", "")


class Eviction(StrEnum):
    """What the API said when it was asked to move a pod."""

    ASKED = "ASKED"  # it goes, with its grace period
    GONE = "GONE"  # it is not there, or another one has its name
    BLOCKED = "BLOCKED"  # a disruption budget forbids it for now


def read_nodes() -> list[NodeFound]:
    """Every node."""
    return [_node(one) for one in pages(NODES, {})]


def read_pods(node: str = "", *, timeout_s: float | None = None) -> Iterator[PodFound]:
    """Every pod of the cluster that has not ended, or those of one node."""
    selector = f"spec.nodeName={node},{ALIVE}" if node else ALIVE
    return map(_pod, pages(PODS, {"fieldSelector": selector}, timeout_s=timeout_s))


def read_pods_of_instance(instance_id: object) -> list[PodFound]:
    """The pods of one app, wherever they are."""
    query = {"fieldSelector": ALIVE, "labelSelector": f"{INSTANCE_LABEL}={instance_id}"}
    return [_pod(one) for one in pages(PODS, query)]


def read_pins(*, timeout_s: float | None = None) -> dict[tuple[str, str], frozenset[str]]:
    """Volumes that only some nodes can reach: by namespace and claim, the host names of those nodes."""
    found = {}
    for volume in pages(VOLUMES, {}, timeout_s=timeout_s):
        claim, hosts = volume["spec"].get("claimRef") or {}, _hosts(volume)
        if claim and hosts:
            found[(claim.get("namespace", ""), claim.get("name", ""))] = hosts
    return found


def read_events(node: str, *, limit: int = 20) -> list[ClusterEvent]:
    """What Kubernetes noted lately about the node, newest first. For pages: 5 s at most."""
    query = {"fieldSelector": f"involvedObject.kind=Node,involvedObject.name={node}"}
    answer = connection().call("GET", EVENTS, query=query, timeout_s=PAGE_TIMEOUT_S)
    found = map(read_event, answer.json.get("items") or [])
    return sorted(found, key=lambda event: event.happened_at, reverse=True)[:limit]


def set_schedulable(node: str, wanted: bool) -> None:
    """Lets new pods come to the node, or keeps them away; what runs there stays. `Missing` when there is none."""
    body = {"spec": {"unschedulable": None if wanted else True}}
    query = {"fieldManager": FIELD_MANAGER}
    connection().call("PATCH", f"{NODES}/{node}", query=query, body=body, content_type=MERGE_PATCH)


def evict(pod: PodFound) -> Eviction:
    """Asks for this very pod to leave its node; its controller makes another one elsewhere."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": {"preconditions": {"uid": pod.uid}},
    }
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
    try:
        connection().call("POST", path, body=body)
    except Missing:
        return Eviction.GONE
    except Refused as error:
        if error.details.get("status") != CONFLICT:
            raise
        return Eviction.GONE
    except ClusterUnavailable as error:
        if "DisruptionBudget" not in error.details.get("causes", ()):
            raise
        return Eviction.BLOCKED
    return Eviction.ASKED


def _node(body: Json) -> NodeFound:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    info = status.get("nodeInfo") or {}
    return NodeFound(
        name=metadata["name"],
        ready=any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or []),
        unschedulable=bool(spec.get("unschedulable")),
        labels=metadata.get("labels") or {},
        taints=[_taint(one) for one in spec.get("taints") or []],
        architecture=info.get("architecture", ""),
        operating_system=info.get("osImage", ""),
        kubelet_version=info.get("kubeletVersion", ""),
        runtime_version=info.get("containerRuntimeVersion", ""),
        capacity=amounts(status.get("capacity") or {}),
        allocatable=amounts(status.get("allocatable") or {}),
    )


def _taint(body: Json) -> str:
    """As `kubectl` writes it: `key=value:Effect`."""
    value = f"={body['value']}" if body.get("value") else ""
    return f"{body.get('key', '')}{value}:{body.get('effect', '')}"


def amounts(quantity: Json) -> Amounts:
    """What stands under `capacity`, `allocatable` or `requests`; what is missing is zero."""

    def exact(name: str) -> Any:
        return quantities.parse(quantity.get(name, "0"))

    return Amounts(
        round(exact("cpu") * 1000), round(exact("memory")), round(exact("ephemeral-storage")), round(exact("pods"))
    )


def _pod(body: Json) -> PodFound:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    conditions = {one.get("type"): one for one in status.get("conditions") or []}
    owners = metadata.get("ownerReferences") or []
    return PodFound(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node=spec.get("nodeName") or "",
        instance=(metadata.get("labels") or {}).get(INSTANCE_LABEL, ""),
        claims=tuple(_claims(spec)),
        requests=_requests(spec),
        phase=status.get("phase") or "",
        ready=conditions.get("Ready", {}).get("status") == "True",
        unschedulable=conditions.get("PodScheduled", {}).get("reason") == "Unschedulable",
        restarts=sum(one.get("restartCount", 0) for one in status.get("containerStatuses") or []),
        leaving="deletionTimestamp" in metadata,
        controller=next((one.get("kind", "") for one in owners if one.get("controller")), ""),
        mirror=MIRROR in (metadata.get("annotations") or {}),
    )


def _claims(spec: Json) -> Iterator[str]:
    for volume in spec.get("volumes") or []:
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            yield name


def _requests(spec: Json) -> Amounts:
    """What the scheduler counts: all containers and sidecars together, or the largest init container beside the
    sidecars. Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    inits = spec.get("initContainers") or []
    sidecars = _sum(one for one in inits if one.get("restartPolicy") == "Always")
    running = _sum(spec.get("containers") or []) + sidecars
    starting = [_sum([one]) + sidecars for one in inits if one.get("restartPolicy") != "Always"]
    cpu, memory, storage, _ = (max(each) for each in zip(*(one.each() for one in (running, *starting)), strict=True))
    return Amounts(cpu, memory, storage, 1) + amounts(spec.get("overhead") or {})


def _sum(containers: Iterable[Json]) -> Amounts:
    found = Amounts()
    for one in containers:
        found += amounts((one.get("resources") or {}).get("requests") or {})
    return found


def _hosts(volume: Json) -> frozenset[str]:
    """The host names that a local volume names; empty for one that any node can reach."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    return frozenset(
        host
        for term in required.get("nodeSelectorTerms") or []
        for one in term.get("matchExpressions") or []
        if one.get("key") == HOSTNAME and one.get("operator") == "In"
        for host in one.get("values") or []
    )
