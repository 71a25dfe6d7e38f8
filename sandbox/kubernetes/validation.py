"""What the server refuses with 422: names, labels, and the fields a portal is likely to get wrong."""

from __future__ import annotations

import ipaddress
import json
import re
from fractions import Fraction
from typing import Any

from . import quantities
from .kinds import Resource
from .refusals import Refusal, bad_value, forbidden_field, invalid, required, too_long
from .store import Object

Causes = list[dict[str, str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_WHY_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_WHY_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_WHY_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_WHY_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_WHY_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_PVC_IMMUTABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
)
LABEL_LIKE = {"Namespace", "Service"}


def check(resource: Resource, obj: Object) -> None:
    """Refuses with every mistake at once."""
    causes = [*_metadata(resource, obj), *_CHECKS.get(resource.kind, lambda _: [])(obj)]
    if causes:
        raise _refusal(resource, obj, causes)


def check_change(resource: Resource, old: Object, new: Object) -> None:
    """Refuses a change of what cannot be changed."""
    causes = _CHANGES.get(resource.kind, lambda *_: [])(old, new)
    if causes:
        raise _refusal(resource, new, causes)


def _refusal(resource: Resource, obj: Object, causes: Causes) -> Refusal:
    return invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)


def _metadata(resource: Resource, obj: Object) -> Causes:
    meta = obj["metadata"]
    causes = _name(resource, meta.get("name", ""))
    for value in (meta.get("labels") or {}).values():
        if not re.fullmatch(_VALUE, value or "") or len(value or "") > 63:
            causes.append(bad_value("metadata.labels", value, _WHY_VALUE))
    size = sum(len(key) + len(value or "") for key, value in (meta.get("annotations") or {}).items())
    if size > 262144:
        causes.append(too_long("metadata.annotations", 262144))
    return causes


def _name(resource: Resource, name: str) -> Causes:
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    is_label = resource.kind in LABEL_LIKE
    pattern, why, length_max = (_LABEL, _WHY_LABEL, 63) if is_label else (_SUBDOMAIN, _WHY_SUBDOMAIN, 253)
    causes = [] if re.fullmatch(pattern, name) else [bad_value("metadata.name", name, why)]
    if len(name) > length_max:
        causes.append(bad_value("metadata.name", name, f"must be no more than {length_max} characters"))
    return causes


def _namespace(obj: Object) -> Causes:
    levels = ("privileged", "baseline", "restricted")
    return [
        bad_value(f"metadata.labels[{key}]", value, "must be one of " + ", ".join(levels))
        for key, value in (obj["metadata"].get("labels") or {}).items()
        if re.fullmatch(r"pod-security\.kubernetes\.io/(enforce|warn|audit)", key) and value not in levels
    ]


def _data(obj: Object) -> Causes:
    data = obj.get("data") or {}
    causes = [bad_value(f"data[{key}]", key, _WHY_CONFIG_KEY) for key in data if not re.fullmatch(_CONFIG_KEY, key)]
    if sum(len(value or "") for value in data.values()) > 1048576:
        causes.append(too_long("[]", 1048576))
    return causes


def _secret(obj: Object) -> Causes:
    causes = _data(obj)
    if obj.get("type") == "kubernetes.io/tls":
        causes += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in (obj.get("data") or {})]
    return causes


def _claim(obj: Object) -> Causes:
    spec = obj["spec"]
    causes = [] if spec.get("accessModes") else [required("spec.accessModes", "at least 1 access mode is required")]
    if not spec.get("resources", {}).get("requests", {}).get("storage"):
        causes.append(required("spec.resources[storage]"))
    return causes


def _service(obj: Object) -> Causes:
    ports = obj["spec"].get("ports") or []
    if not ports and obj["spec"].get("clusterIP") != "None":
        return [required("spec.ports")]
    return [
        bad_value(f"spec.ports[{index}].port", port.get("port"), "must be between 1 and 65535, inclusive")
        for index, port in enumerate(ports)
        if not 1 <= port.get("port", 0) <= 65535
    ]


def _ingress(obj: Object) -> Causes:
    causes: Causes = []
    for index, rule in enumerate(obj["spec"].get("rules") or []):
        host = rule.get("host", "")
        if host and not re.fullmatch(_SUBDOMAIN, host.removeprefix("*.")):
            causes.append(bad_value(f"spec.rules[{index}].host", host, _WHY_SUBDOMAIN))
        for number, path in enumerate(rule.get("http", {}).get("paths", [])):
            field = f"spec.rules[{index}].http.paths[{number}]"
            if not path.get("path", "/").startswith("/"):
                causes.append(bad_value(f"{field}.path", path["path"], "must be an absolute path"))
            if not path.get("pathType"):
                causes.append(required(f"{field}.pathType", "pathType must be specified"))
    return causes


def _network_policy(obj: Object) -> Causes:
    causes: Causes = []
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(obj["spec"].get(direction) or []):
            field = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                causes += _policy_ports(port, f"{field}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or []):
                causes += _address_block(peer.get("ipBlock") or {}, f"{field}.{peers}[{number}].ipBlock")
    return causes


def _policy_ports(ports: dict[str, Any], field: str) -> Causes:
    """A port, a named port, or the range from `port` to `endPort`."""
    begin, end = ports.get("port"), ports.get("endPort")
    if not isinstance(begin, int):
        why = "may not be specified when `port` is " + ("not specified" if begin is None else "non-numeric")
        return [] if end is None else [bad_value(f"{field}.endPort", end, why)]
    numbers = {"port": begin} if end is None else {"port": begin, "endPort": end}
    causes = [
        bad_value(f"{field}.{name}", number, "must be between 1 and 65535, inclusive")
        for name, number in numbers.items()
        if not 1 <= number <= 65535
    ]
    if end is not None and end < begin:
        causes.append(bad_value(f"{field}.endPort", end, "must be greater than or equal to `port`"))
    return causes


def _address_block(block: dict[str, Any], field: str) -> Causes:
    named = {f"{field}.except[{index}]": cidr for index, cidr in enumerate(block.get("except") or [])}
    every = ({f"{field}.cidr": block["cidr"]} if block else {}) | named
    causes = [bad_value(name, cidr, _WHY_CIDR) for name, cidr in every.items() if _network(cidr) is None]
    if causes:
        return causes
    return [
        bad_value(name, cidr, "must be a strict subset of `cidr`")
        for name, cidr in named.items()
        if not _is_strictly_within(_network(cidr), _network(block["cidr"]))
    ]


def _network(cidr: str) -> Any:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None


def _is_strictly_within(inner: Any, outer: Any) -> bool:
    """As Go sees it, which takes an IPv4-mapped IPv6 address for IPv4."""
    if inner.version == 6 and inner.network_address.ipv4_mapped is not None:
        return False
    return inner.version == outer.version and inner != outer and inner.subnet_of(outer)


def _deployment(obj: Object) -> Causes:
    spec = obj["spec"]
    causes = _replicas(spec)
    labels = spec["template"]["metadata"].get("labels") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    if not spec.get("selector"):
        causes.append(required("spec.selector"))
    elif not wanted.items() <= labels.items():
        why = "`selector` does not match template `labels`"
        causes.append(bad_value("spec.template.metadata.labels", _GoMap(labels), why))
    return causes + _pod_spec(spec["template"]["spec"], "spec.template.spec")


def _replicas(spec: dict[str, Any]) -> Causes:
    if spec["replicas"] >= 0:
        return []
    return [bad_value("spec.replicas", spec["replicas"], "must be greater than or equal to 0")]


class _GoMap(dict):
    """Shown as JSON with sorted keys and no spaces, as the server shows a map."""

    def __str__(self) -> str:
        return json.dumps(self, sort_keys=True, separators=(",", ":"))


def _pod(obj: Object) -> Causes:
    return _pod_spec(obj["spec"], "spec")


def _pod_spec(spec: dict[str, Any], field: str) -> Causes:
    causes: Causes = []
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    if not spec.get("containers"):
        causes.append(required(f"{field}.containers"))
    for index, container in enumerate(spec.get("containers") or []):
        causes += _container(container, f"{field}.containers[{index}]", volumes)
    return causes


def _container(container: dict[str, Any], field: str, volumes: set[str]) -> Causes:
    causes = [] if container.get("image") else [required(f"{field}.image")]
    for index, port in enumerate(container.get("ports", [])):
        if not 1 <= port.get("containerPort", 0) <= 65535:
            why = "must be between 1 and 65535, inclusive"
            causes.append(bad_value(f"{field}.ports[{index}].containerPort", port.get("containerPort"), why))
    for index, mount in enumerate(container.get("volumeMounts", [])):
        if mount["name"] not in volumes:
            message = f'Not found: "{mount["name"]}"'
            field_name = f"{field}.volumeMounts[{index}].name"
            causes.append({"reason": "FieldValueNotFound", "message": message, "field": field_name})
    return causes + _requests_within_limits(container.get("resources", {}), f"{field}.resources.requests")


def _requests_within_limits(resources: dict[str, Any], field: str) -> Causes:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    return [
        bad_value(field, str(requests[name]), f"must be less than or equal to {name} limit of {limits[name]}")
        for name in requests.keys() & limits.keys()
        if quantities.parse(requests[name]) > quantities.parse(limits[name])
    ]


def _deployment_change(old: Object, new: Object) -> Causes:
    selector = new["spec"].get("selector")
    if old["spec"].get("selector") == selector:
        return []
    return [bad_value("spec.selector", _GoMap(selector), "field is immutable")]


def _secret_change(old: Object, new: Object) -> Causes:
    return [] if old.get("type") == new.get("type") else [bad_value("type", new.get("type"), "field is immutable")]


def _claim_change(old: Object, new: Object) -> Causes:
    before, after = dict(old["spec"]), dict(new["spec"])
    grown = _storage(after) - _storage(before)
    is_bound = old["status"].get("phase") == "Bound"
    for spec in (before, after):
        spec.pop("resources", None)
    if before != after or (grown and not is_bound):
        return [forbidden_field("spec", _PVC_IMMUTABLE + _difference(old["spec"], new["spec"]))]
    if grown < 0:
        return [forbidden_field("spec.resources.requests.storage", "field can not be less than status.capacity")]
    return []


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    lines = [f'-  "{key}": {json.dumps(old.get(key))},\n+  "{key}": {json.dumps(new.get(key))},' for key in sorted(new)
             if old.get(key) != new.get(key)]  # fmt: skip
    return "@@ -1,1 +1,1 @@\n" + "\n".join(lines) + "\n"


def _storage(spec: dict[str, Any]) -> Fraction:
    return quantities.parse(spec.get("resources", {}).get("requests", {}).get("storage", "0"))


_CHECKS = {
    "Namespace": _namespace,
    "ConfigMap": _data,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Ingress": _ingress,
    "NetworkPolicy": _network_policy,
    "Deployment": _deployment,
    "Pod": _pod,
}
_CHANGES = {
    "Deployment": _deployment_change,
    "Secret": _secret_change,
    "PersistentVolumeClaim": _claim_change,
}
