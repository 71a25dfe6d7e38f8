"""How things go: at once, with a grace period, behind finalizers, with or without their children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cloning import clone
from .kinds import CLAIMS, NAMESPACES, PODS, Resource
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

_POLICY_FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def delete(
    cluster: Cluster, resource: Resource, obj: Object, policy: str = "Background", grace_s: int | None = None
) -> Object | None:
    """Starts a deletion; returns the object while it is still there, None when it is gone at once.

    Repeating it changes nothing.
    """
    if obj["metadata"].get("deletionTimestamp"):
        return obj
    if resource is PODS:
        return _delete_pod(cluster, obj, grace_s)
    going = clone(obj)
    finalizer = _POLICY_FINALIZERS.get(policy)
    if finalizer:
        going["metadata"].setdefault("finalizers", []).append(finalizer)
    if resource is NAMESPACES:
        going["status"] = {"phase": "Terminating"}
    elif not going["metadata"].get("finalizers"):
        cluster.store.remove(resource, obj)
        return None
    return _mark(cluster, resource, going, 0)


def _delete_pod(cluster: Cluster, pod: Object, grace_s: int | None) -> Object | None:
    grace_s = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace_s is None else grace_s
    if not pod["spec"].get("nodeName") or grace_s == 0:
        cluster.store.remove(PODS, pod)
        return None
    return _mark(cluster, PODS, clone(pod), grace_s)


def _mark(cluster: Cluster, resource: Resource, going: Object, grace_s: int) -> Object:
    meta = going["metadata"]
    meta["deletionTimestamp"] = cluster.clock.stamp(plus_s=grace_s)
    if resource is not NAMESPACES:
        meta["deletionGracePeriodSeconds"] = grace_s
    if resource.has_generation:
        meta["generation"] = meta.get("generation", 1) + 1
    return cluster.store.update(resource, going)


def finish_if_free(cluster: Cluster, resource: Resource, obj: Object) -> bool:
    """Removes an object that is being deleted and that no finalizer holds any more."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or resource in (PODS, NAMESPACES):
        return False
    cluster.store.remove(resource, obj)
    return True


def drop_finalizer(cluster: Cluster, resource: Resource, obj: Object, finalizer: str) -> None:
    """Takes one finalizer away, and with the last one the object."""
    freed = clone(obj)
    freed["metadata"]["finalizers"] = [item for item in freed["metadata"]["finalizers"] if item != finalizer]
    if not freed["metadata"]["finalizers"]:
        del freed["metadata"]["finalizers"]
        if finish_if_free(cluster, resource, freed):
            return
    cluster.store.update(resource, freed)


def is_claim_in_use(cluster: Cluster, claim: Object) -> bool:
    name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]
    return any(
        volume.get("persistentVolumeClaim", {}).get("claimName") == name
        for pod in cluster.store.list(PODS, namespace)
        for volume in pod["spec"].get("volumes", [])
    )


PROTECTION = {CLAIMS.key: "kubernetes.io/pvc-protection"}
