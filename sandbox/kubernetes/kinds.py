"""The table of kinds the stand-in knows, and how an address is read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Resource:
    """One row of the API: where it lives and what the server does to it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_generation: bool = False
    has_status: bool = False
    subresources: frozenset[str] = field(default_factory=frozenset)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> str:
        """As error messages write it: `apps/v1, Kind=Deployment`, `/v1, Kind=Secret`."""
        return f"{self.group}/{self.version}, Kind={self.kind}"

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def key(self) -> str:
        return f"{self.group}/{self.plural}" if self.group else self.plural


def _row(group: str, version: str, plural: str, kind: str, *flags: str, sub: str = "") -> Resource:
    return Resource(
        group,
        version,
        plural,
        kind,
        namespaced="cluster" not in flags,
        has_generation="generation" in flags,
        has_status="status" in flags,
        subresources=frozenset(sub.split()),
    )


NAMESPACES = _row("", "v1", "namespaces", "Namespace", "cluster", "status", sub="status")
NODES = _row("", "v1", "nodes", "Node", "cluster", "status", sub="status")
SECRETS = _row("", "v1", "secrets", "Secret")
CONFIG_MAPS = _row("", "v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNTS = _row("", "v1", "serviceaccounts", "ServiceAccount")
QUOTAS = _row("", "v1", "resourcequotas", "ResourceQuota", "status", sub="status")
LIMIT_RANGES = _row("", "v1", "limitranges", "LimitRange")
CLAIMS = _row("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "status", sub="status")
SERVICES = _row("", "v1", "services", "Service", "status", sub="status")
PODS = _row("", "v1", "pods", "Pod", "generation", "status", sub="status log eviction exec")
EVENTS = _row("", "v1", "events", "Event")
DEPLOYMENTS = _row("apps", "v1", "deployments", "Deployment", "generation", "status", sub="status scale")
REPLICA_SETS = _row("apps", "v1", "replicasets", "ReplicaSet", "generation", "status", sub="status scale")
NETWORK_POLICIES = _row("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "generation")
INGRESSES = _row("networking.k8s.io", "v1", "ingresses", "Ingress", "generation", "status", sub="status")
STORAGE_CLASSES = _row("storage.k8s.io", "v1", "storageclasses", "StorageClass", "cluster")
LEASES = _row("coordination.k8s.io", "v1", "leases", "Lease")
NEW_EVENTS = _row("events.k8s.io", "v1", "events", "Event")
POD_METRICS = _row("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
PERSISTENT_VOLUMES = _row("", "v1", "persistentvolumes", "PersistentVolume", "cluster", "status")

ALL = [
    NAMESPACES, NODES, SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, QUOTAS, LIMIT_RANGES, CLAIMS, SERVICES, PODS, EVENTS,
    DEPLOYMENTS, REPLICA_SETS, NETWORK_POLICIES, INGRESSES, STORAGE_CLASSES, LEASES,
]  # fmt: skip

BY_KEY = {resource.key: resource for resource in ALL}
NAMESPACED = [resource for resource in ALL if resource.namespaced]
MADE_UP = [NEW_EVENTS, POD_METRICS, PERSISTENT_VOLUMES]
"""Answered, but kept nowhere: another face of Events, what is measured at that moment, what claims are bound to."""

_BY_ADDRESS = {(item.group, item.version, item.plural): item for item in [*ALL, *MADE_UP]}
GROUPS = {(item.group, item.version) for item in [*ALL, *MADE_UP]}


@dataclass(frozen=True)
class Address:
    """What a path under /api or /apis points at; `resource` is None for an unknown plural of a known group."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    resource: Resource | None


def parse_address(path: str) -> Address | None:
    """Reads /api/v1/… or /apis/<group>/<version>/…; None when it is not the address of a resource."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    return _parse_rest(group, version, rest)


def _parse_rest(group: str, version: str, rest: list[str]) -> Address | None:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in NAMESPACES.subresources:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", ""][:3]
    resource = _BY_ADDRESS.get((group, version, plural)) if len(rest) <= 3 else None
    if resource is not None and bool(namespace) > resource.namespaced:
        resource = None
    return Address(group, version, plural, namespace, name, subresource, resource)
