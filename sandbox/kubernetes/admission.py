"""What stands between a valid object and the store: namespaces, ServiceAccounts, LimitRanges, Pod Security, quotas."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction
from typing import Any

from . import podsecurity, quantities
from .kinds import (
    CLAIMS,
    CONFIG_MAPS,
    INGRESSES,
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)
from .refusals import cause, forbidden, not_found
from .store import Object, Store

_LEVEL = "pod-security.kubernetes.io/"


def admit_namespace(store: Store, resource: Resource, namespace: str, name: str) -> None:
    """A new object needs a namespace that exists and is not on its way out."""
    if not resource.namespaced:
        return
    found = store.get(NAMESPACES, "", namespace)
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        told = f"namespace {namespace} is being terminated"
        causes = [cause("NamespaceTerminating", told, "metadata.namespace")]
        raise forbidden(resource, name, why, causes)


def complete(store: Store, resource: Resource, obj: Object) -> None:
    """Admission that changes the object: only pods are touched."""
    if resource is PODS:
        _add_service_account(store, obj)
        _apply_limit_ranges(store, obj)


def admit_creation(store: Store, resource: Resource, obj: Object) -> None:
    """Admission that says no to a new object, in the server's order: LimitRange, Pod Security, quota."""
    namespace = obj["metadata"].get("namespace", "")
    if resource is PODS:
        _check_limit_ranges(store, obj)
        text = podsecurity.violations(obj["spec"], _level(store, namespace, "enforce"))
        if text:
            raise forbidden(PODS, obj["metadata"]["name"], f"violates PodSecurity {text}")
    _check_quotas(store, resource, namespace, obj, _cost(resource, obj))


def admit_change(store: Store, resource: Resource, old: Object, new: Object) -> None:
    """Growth of a claim: allowed by its StorageClass, and within the quota."""
    if resource is not CLAIMS:
        return
    more = _cost(CLAIMS, new)
    for key, value in _cost(CLAIMS, old).items():
        more[key] = more.get(key, Fraction(0)) - value
    if more.get("requests.storage", 0) <= 0:
        return
    storage_class = store.get(STORAGE_CLASSES, "", new["spec"].get("storageClassName", ""))
    if not (storage_class or {}).get("allowVolumeExpansion"):
        why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
        raise forbidden(CLAIMS, new["metadata"]["name"], why + "must support resize")
    _check_quotas(store, CLAIMS, new["metadata"]["namespace"], new, {k: v for k, v in more.items() if v > 0})


def warnings(store: Store, resource: Resource, obj: Object) -> list[str]:
    """What the Warning header says about a workload whose pods would be refused or frowned at."""
    template = obj.get("spec", {}).get("template") if resource.group == "apps" else None
    if template is None:
        return []
    level = _level(store, obj["metadata"].get("namespace", ""), "warn")
    text = podsecurity.violations(template["spec"], level)
    return [f"would violate PodSecurity {text}"] if text else []


def _level(store: Store, namespace: str, mode: str) -> str:
    found = store.get(NAMESPACES, "", namespace) or {"metadata": {}}
    return (found["metadata"].get("labels") or {}).get(_LEVEL + mode, "privileged")


def _add_service_account(store: Store, pod: Object) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    name = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = name
    account = store.get(SERVICE_ACCOUNTS, meta["namespace"], name)
    if account is None:
        why = f'error looking up service account {meta["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise forbidden(PODS, meta.get("generateName") or meta["name"], why)
    mounts = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if mounts:
        _mount_token(spec)


def _mount_token(spec: dict[str, Any]) -> None:
    name = "kube-api-access-" + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
    namespace_file = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace_file]}},
    ]
    volume = {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
    spec["volumes"] = [*spec.get("volumes", []), volume]
    mount = {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    for container in spec.get("containers", []):
        container["volumeMounts"] = [*container.get("volumeMounts", []), dict(mount)]


def _container_limits(store: Store, pod: Object) -> list[dict[str, Any]]:
    ranges = store.list(LIMIT_RANGES, pod["metadata"]["namespace"])
    return [limit for item in ranges for limit in item["spec"]["limits"] if limit.get("type") == "Container"]


def _apply_limit_ranges(store: Store, pod: Object) -> None:
    notes = []
    for container in pod["spec"]["containers"]:
        resources = container.setdefault("resources", {})
        own = resources.get("limits", {})
        resources["requests"] = own | resources.get("requests", {})
        for limit in _container_limits(store, pod):
            notes += _fill_resources(container["name"], resources, limit)
        for key in ("limits", "requests"):
            if not resources.get(key, True):
                del resources[key]
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations["kubernetes.io/limit-ranger"] = "LimitRanger plugin set: " + "; ".join(notes)


def _fill_resources(name: str, resources: dict[str, Any], limit: dict[str, Any]) -> list[str]:
    notes = []
    for key, source, word in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
        added = {item: value for item, value in limit.get(source, {}).items() if item not in resources.get(key, {})}
        if added:
            resources[key] = resources.get(key, {}) | added
            notes.append(f"{', '.join(sorted(added))} {word} for container {name}")
    return notes


def _check_limit_ranges(store: Store, pod: Object) -> None:
    found = []
    for limit in _container_limits(store, pod):
        for container in pod["spec"]["containers"]:
            found += _above_maximum(container.get("resources", {}), limit.get("max", {}))
    if found:
        text = found[0] if len(found) == 1 else "[" + ", ".join(found) + "]"
        raise forbidden(PODS, pod["metadata"]["name"], text)


def _above_maximum(resources: dict[str, Any], ceiling: dict[str, str]) -> list[str]:
    limits = resources.get("limits", {})
    return [
        f"maximum {name} usage per Container is {ceiling[name]}, but limit is {limits[name]}"
        for name in sorted(ceiling)
        if name in limits and quantities.parse(limits[name]) > quantities.parse(ceiling[name])
    ]


_COUNTED = {PODS: "pods", CLAIMS: "persistentvolumeclaims", SERVICES: "services", SECRETS: "secrets"} | {
    CONFIG_MAPS: "configmaps",
    INGRESSES: "count/ingresses.networking.k8s.io",
}


def _cost(resource: Resource, obj: Object) -> dict[str, Fraction]:
    """What one object takes from a quota."""
    cost: dict[str, Fraction] = defaultdict(Fraction)
    if resource in _COUNTED:
        cost[_COUNTED[resource]] = Fraction(1)
        cost[f"count/{resource.qualified}"] = Fraction(1)
    if resource is CLAIMS:
        cost["requests.storage"] = quantities.parse(obj["spec"]["resources"]["requests"]["storage"])
    if resource is PODS:
        for container in obj["spec"]["containers"]:
            for kind in ("requests", "limits"):
                for name, value in container.get("resources", {}).get(kind, {}).items():
                    cost[f"{kind}.{name}"] += quantities.parse(value)
    return dict(cost)


def used(store: Store, namespace: str) -> dict[str, Fraction]:
    """What the namespace uses of everything a quota may count. Finished pods do not count."""
    total: dict[str, Fraction] = defaultdict(Fraction)
    for resource in _COUNTED:
        for obj in store.list(resource, namespace):
            if obj.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                for name, value in _cost(resource, obj).items():
                    total[name] += value
    return dict(total)


def show(name: str, value: Fraction) -> str:
    return quantities.render(value, binary=quantities.is_counted_in_bytes(name))


def _check_quotas(store: Store, resource: Resource, namespace: str, obj: Object, cost: dict[str, Fraction]) -> None:
    for quota in store.list(QUOTAS, namespace) if cost else []:
        hard = quota["spec"].get("hard", {})
        if resource is PODS:
            _demand_resources(quota, hard, obj)
        current = used(store, namespace)
        over = [
            name
            for name in sorted(cost.keys() & hard.keys())
            if current.get(name, Fraction(0)) + cost[name] > quantities.parse(hard[name])
        ]
        if over:
            raise forbidden(resource, obj["metadata"]["name"], _exceeded(quota, over, cost, current))


def _exceeded(quota: Object, over: list[str], cost: dict[str, Fraction], current: dict[str, Fraction]) -> str:
    hard = quota["spec"]["hard"]
    requested = ",".join(f"{name}={show(name, cost[name])}" for name in over)
    taken = ",".join(f"{name}={show(name, current.get(name, Fraction(0)))}" for name in over)
    limited = ",".join(f"{name}={hard[name]}" for name in over)
    name = quota["metadata"]["name"]
    return f"exceeded quota: {name}, requested: {requested}, used: {taken}, limited: {limited}"


def _demand_resources(quota: Object, hard: dict[str, str], pod: Object) -> None:
    """A quota on cpu or memory makes them compulsory for every container."""
    missing: dict[str, list[str]] = {}
    for name in sorted(hard):
        kind, _, what = name.partition(".")
        for container in pod["spec"]["containers"]:
            if what in ("cpu", "memory") and what not in container.get("resources", {}).get(kind, {}):
                missing.setdefault(name, []).append(container["name"])
    if missing:
        listed = "; ".join(f"{name} for: {','.join(who)}" for name, who in missing.items())
        why = f"failed quota: {quota['metadata']['name']}: must specify {listed}"
        raise forbidden(PODS, pod["metadata"]["name"], why)
