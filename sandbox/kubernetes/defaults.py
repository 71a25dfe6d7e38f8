"""What the server fills in: the same object comes back with every field it would have on a real cluster."""

from __future__ import annotations

import base64
import re
from typing import Any

from . import quantities
from .kinds import Resource
from .schema import QUANTITY_MAPS
from .store import Object

DEFAULT_STORAGE_CLASS = "standard"


def fill(resource: Resource, obj: Object) -> None:
    """Changes `obj` in place; a second call changes nothing."""
    _canonical_quantities(obj)
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not obj["metadata"].get(key, True):
            del obj["metadata"][key]
    maker = _MAKERS.get(resource.kind)
    if maker is not None:
        maker(obj)


def _canonical_quantities(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _canonical_quantities(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in QUANTITY_MAPS and isinstance(value, dict) and value.keys().isdisjoint({"apiVersion", "kind"}):
            node[key] = {name: _canonical(item) for name, item in value.items()}
        elif key not in ("data", "stringData", "annotations", "labels", "managedFields"):
            _canonical_quantities(value)


def _canonical(value: Any) -> Any:
    try:
        return quantities.canonical(value)
    except ValueError:
        return value


def _namespace(obj: Object) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    written = obj.pop("stringData", None) or {}
    if written:
        data = obj.setdefault("data", {})
        data |= {key: base64.b64encode((value or "").encode()).decode() for key, value in written.items()}


def _config_map(obj: Object) -> None:
    if "data" in obj:
        obj["data"] = {key: "" if value is None else value for key, value in (obj["data"] or {}).items()}


def _quota(obj: Object) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


def _limit_range(obj: Object) -> None:
    for limit in obj.get("spec", {}).get("limits", []):
        ceiling = limit.get("max", {})
        if limit.get("type") == "Container" and ceiling:
            limit["default"] = ceiling | limit.get("default", {})
        if limit.get("type") == "Container" and (limit.get("default") or limit.get("min")):
            limit["defaultRequest"] = limit.get("default", {}) | limit.get("min", {}) | limit.get("defaultRequest", {})


def _claim(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("storageClassName", DEFAULT_STORAGE_CLASS)
    spec.setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {"phase": "Pending"})


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    for key, value in (
        ("type", "ClusterIP"),
        ("sessionAffinity", "None"),
        ("ipFamilies", ["IPv4"]),
        ("ipFamilyPolicy", "SingleStack"),
        ("internalTrafficPolicy", "Cluster"),
    ):
        spec.setdefault(key, value)
    obj.setdefault("status", {"loadBalancer": {}})


def _ingress(obj: Object) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {"loadBalancer": {}})


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for port in rule.get("ports", []):
            port.setdefault("protocol", "TCP")
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _pod_template(spec)
    obj.setdefault("status", {})


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _pod_template(spec)
    obj.setdefault("status", {"replicas": 0})


def _pod_template(spec: dict[str, Any]) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    obj.setdefault("status", {"phase": "Pending"})


def pod_spec(spec: dict[str, Any]) -> None:
    """Defaults of a pod's spec, in a template or in a pod."""
    for key, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ):
        spec.setdefault(key, value)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        _volume(volume)


def _container(container: dict[str, Any]) -> None:
    image = container.get("image") or ""
    is_latest = image.endswith(":latest") or not re.search(r":[^/]+$", image)
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "Always" if is_latest else "IfNotPresent")
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        if container.get(probe):
            _probe(container[probe])


def _probe(probe: dict[str, Any]) -> None:
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
    for key, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(key, value)


def _volume(volume: dict[str, Any]) -> None:
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", 420)


_MAKERS = {
    "Namespace": _namespace,
    "Secret": _secret,
    "ConfigMap": _config_map,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Ingress": _ingress,
    "NetworkPolicy": _network_policy,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Pod": _pod,
}
