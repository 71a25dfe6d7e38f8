"""The small controllers: what a namespace is born with and dies of, claims, quotas, garbage."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import admission, deletion, events, quantities
from .cloning import clone
from .kinds import (
    BY_KEY,
    CLAIMS,
    CONFIG_MAPS,
    EVENTS,
    NAMESPACED,
    NAMESPACES,
    PODS,
    QUOTAS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    Resource,
)
from .store import Object, new_uid

if TYPE_CHECKING:
    from .cluster import Cluster

_PROVISIONER = "kubernetes.io/host-path"
EVENT_TTL_S = 3600
"""Source: kube-apiserver, `--event-ttl` (1h0m0s)."""
_CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def tick(cluster: Cluster) -> None:
    """Looks at everything; not when nothing has changed since it last had nothing to do, and no claim waits."""
    before = cluster.store.version
    waiting = any(_is_waiting(claim) for claim in cluster.rest.awake(CLAIMS))
    if before == cluster.housekept_version and not waiting:
        return
    _look_at_everything(cluster)
    cluster.housekept_version = before if cluster.store.version == before else 0


def _look_at_everything(cluster: Cluster) -> None:
    for namespace in cluster.store.list(NAMESPACES):
        if namespace["metadata"].get("deletionTimestamp"):
            _empty(cluster, clone(namespace))
        else:
            _furnish(cluster, namespace["metadata"]["name"])
    _collect_garbage(cluster)
    for claim in cluster.rest.awake(CLAIMS):
        _look_at_claim(cluster, clone(claim))
    for quota in cluster.rest.awake(QUOTAS):
        _count(cluster, clone(quota))
    _forget_old_events(cluster)


def _forget_old_events(cluster: Cluster) -> None:
    oldest = cluster.clock.stamp(plus_s=-EVENT_TTL_S)
    for event in cluster.rest.awake(EVENTS):
        if (event["lastTimestamp"] or event["metadata"]["creationTimestamp"]) < oldest:
            cluster.store.remove(EVENTS, event)


def _furnish(cluster: Cluster, namespace: str) -> None:
    """A ServiceAccount `default` and the cluster's CA, a moment after the namespace is made."""
    wanted: list[tuple[Resource, Object]] = [
        (SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}),
        (
            CONFIG_MAPS,
            {
                "metadata": {
                    "name": "kube-root-ca.crt",
                    "annotations": {"kubernetes.io/description": _CA_NOTE},
                },
                "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nsandbox\n-----END CERTIFICATE-----\n"},
            },
        ),
    ]
    for resource, obj in wanted:
        if cluster.store.get(resource, namespace, obj["metadata"]["name"]) is None:
            obj["metadata"] |= {
                "namespace": namespace,
                "uid": new_uid(),
                "creationTimestamp": cluster.clock.stamp(),
            }
            cluster.store.add(resource, obj)


def _empty(cluster: Cluster, namespace: Object) -> None:
    """Deletes what is inside, says what remains, and goes when nothing does."""
    name = namespace["metadata"]["name"]
    for resource in NAMESPACED:
        for obj in cluster.store.list(resource, name):
            deletion.delete(cluster, resource, obj)
    left = {resource: cluster.store.list(resource, name) for resource in NAMESPACED}
    left = {resource: items for resource, items in left.items() if items}
    if not left:
        cluster.store.remove(NAMESPACES, namespace)
        return
    namespace["status"] = {"phase": "Terminating", "conditions": _remains(cluster, namespace, left)}
    cluster.store.update(NAMESPACES, namespace)


def _remains(cluster: Cluster, namespace: Object, left: dict[Resource, list[Object]]) -> list[dict[str, Any]]:
    rows: list[tuple[str, ...]] = [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
    ]
    rows += _remaining_pods(namespace) if PODS in left else _remaining_finalizers(left)
    before = {item["type"]: item for item in namespace["status"].get("conditions", [])}
    return [_condition(cluster, before.get(row[0]), row) for row in rows]


def _condition(cluster: Cluster, old: dict[str, Any] | None, row: tuple[str, ...]) -> dict[str, Any]:
    kind, status, reason, message = row
    since = old["lastTransitionTime"] if old and old["status"] == status else cluster.clock.stamp()
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}


def _remaining_pods(namespace: Object) -> list[tuple[str, ...]]:
    where = f"namespace: {namespace['metadata']['name']} for gvr: /v1, Resource=pods"
    text = f"Failed to delete all resource types, 1 remaining: unexpected items still remain in {where}"
    return [
        ("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", text),
        ("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"),
        (
            "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]  # fmt: skip


def _remaining_finalizers(left: dict[Resource, list[Object]]) -> list[tuple[str, ...]]:
    counts: dict[str, int] = {}
    for obj in (obj for items in left.values() for obj in items):
        for finalizer in obj["metadata"].get("finalizers", []):
            counts[finalizer] = counts.get(finalizer, 0) + 1
    kinds = sorted((f"{resource.plural}.{resource.group}", len(items)) for resource, items in left.items())
    resources = ", ".join(f"{name} has {count} resource instances" for name, count in kinds)
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(counts.items()))
    return [
        (
            "NamespaceDeletionContentFailure", "False", "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {resources}"),
        (
            "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {finalizers}",
        ),
    ]  # fmt: skip


def _collect_garbage(cluster: Cluster) -> None:
    """Owner and owned live in one namespace, so only those that are awake matter."""
    awake = {key: obj for name in cluster.rest.awake_namespaces() for key, obj in cluster.store.within(name).items()}
    owners = {obj["metadata"]["uid"]: obj for obj in awake.values()}
    for (resource_key, _, _), obj in awake.items():
        references = obj["metadata"].get("ownerReferences", [])
        living = [owners[ref["uid"]] for ref in references if ref["uid"] in owners]
        is_abandoned = references and not living
        is_going_first = any(_has(owner, "foregroundDeletion") for owner in living)
        if is_abandoned or is_going_first:
            policy = "Foreground" if is_going_first and resource_key != PODS.key else "Background"
            deletion.delete(cluster, BY_KEY[resource_key], obj, policy)
    for (resource_key, namespace, name), obj in awake.items():
        if obj["metadata"].get("deletionTimestamp"):
            current = cluster.store.get(BY_KEY[resource_key], namespace, name)
            if current is not None:
                _finish_policy(cluster, BY_KEY[resource_key], current)


def _finish_policy(cluster: Cluster, resource: Resource, obj: Object) -> None:
    children = [
        (BY_KEY[key[0]], child)
        for key, child in cluster.store.within(obj["metadata"].get("namespace", "")).items()
        if any(ref["uid"] == obj["metadata"]["uid"] for ref in child["metadata"].get("ownerReferences", []))
    ] if obj["metadata"].get("deletionTimestamp") else []  # fmt: skip
    if _has(obj, "foregroundDeletion") and not children:
        deletion.drop_finalizer(cluster, resource, obj, "foregroundDeletion")
    elif _has(obj, "orphan"):
        for child_resource, child in children:
            freed = clone(child)
            del freed["metadata"]["ownerReferences"]
            cluster.store.update(child_resource, freed)
        deletion.drop_finalizer(cluster, resource, obj, "orphan")


def _has(obj: Object, finalizer: str) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp")) and finalizer in obj["metadata"].get("finalizers", [])


def _look_at_claim(cluster: Cluster, claim: Object) -> None:
    protection = deletion.PROTECTION[CLAIMS.key]
    if _has(claim, protection) and not deletion.is_claim_in_use(cluster, claim):
        deletion.drop_finalizer(cluster, CLAIMS, claim, protection)
        return
    if claim["status"]["phase"] == "Bound":
        _grow(cluster, claim)
        return
    if claim["status"]["phase"] != "Pending" or cluster.faults.of_pod(claim, "claim-pending"):
        return
    name = claim["spec"]["storageClassName"]
    if cluster.store.get(STORAGE_CLASSES, "", name) is None:
        message = f'storageclass.storage.k8s.io "{name}" not found'
        notes = cluster.runtime.setdefault(claim["metadata"]["uid"], {})
        if cluster.clock.now_s() >= notes.get("tell_at_s", 0):
            notes["tell_at_s"] = cluster.clock.now_s() + 15
            component = "persistentvolume-controller"
            events.record(cluster, (CLAIMS, claim), "ProvisioningFailed", message, component=component, warning=True)
        return
    _bind(cluster, claim)


def _grow(cluster: Cluster, claim: Object) -> None:
    """What the storage driver does some time after a larger claim was accepted."""
    if not _is_waiting(claim) or cluster.faults.of_pod(claim, "claim-stuck"):
        return
    claim["status"]["capacity"]["storage"] = claim["spec"]["resources"]["requests"]["storage"]
    cluster.store.update(CLAIMS, claim)


def _is_waiting(claim: Object) -> bool:
    """For its volume, or for a larger one."""
    has = (claim["status"].get("capacity") or {}).get("storage")
    return has is None or quantities.parse(has) < quantities.parse(claim["spec"]["resources"]["requests"]["storage"])


def _bind(cluster: Cluster, claim: Object) -> None:
    notes = cluster.runtime.setdefault(claim["metadata"]["uid"], {})
    if not notes.setdefault("seen", False):
        notes["seen"] = True
        return
    claim["metadata"].setdefault("annotations", {}).update(
        {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        | {f"volume.{part}kubernetes.io/storage-provisioner": _PROVISIONER for part in ("beta.", "")}
    )
    claim["spec"]["volumeName"] = f"pvc-{claim['metadata']['uid']}"
    capacity = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
    claim["status"] = {"phase": "Bound", "accessModes": claim["spec"]["accessModes"], "capacity": capacity}
    cluster.store.update(CLAIMS, claim)


def _count(cluster: Cluster, quota: Object) -> None:
    hard = quota["spec"].get("hard", {})
    used = admission.used(cluster.store, quota["metadata"]["namespace"])
    shown = {name: admission.show(name, used.get(name, Fraction(0))) for name in hard}
    status = {"hard": {name: quantities.canonical(value) for name, value in hard.items()}, "used": shown}
    if quota["status"] != status:
        quota["status"] = status
        cluster.store.update(QUOTAS, quota)
