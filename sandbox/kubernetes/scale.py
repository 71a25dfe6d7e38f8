"""The scale subresource, and the surprises about who owns `spec.replicas` afterwards."""

from __future__ import annotations

from collections.abc import Callable

from .apply import Ownership
from .apply import apply as apply_fields
from .cloning import clone
from .refusals import bad_value, invalid
from .store import Object
from .verbs import Answer, Call, check_options, check_version


def scale_of(obj: Object) -> Object:
    """The Scale of a Deployment; a zero is left out of its spec, and there the surprises begin."""
    meta, replicas = obj["metadata"], obj["spec"]["replicas"]
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    selector = ",".join(f"{key}={value}" for key, value in sorted(obj["spec"]["selector"]["matchLabels"].items()))
    status = {"replicas": obj["status"].get("replicas", 0), "selector": selector}
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status}


def read_scale(call: Call) -> Answer:
    return 200, scale_of(call.find())


def patch_scale(call: Call, change: Callable[[Object], Object]) -> Answer:
    """Any patch but apply; `change` sees the Scale."""
    check_options(call, "PatchOptions")
    old = call.find()
    return 200, _scale(call, old, change(scale_of(old)), "Update")


def apply_scale(call: Call, body: Object) -> Answer:
    check_options(call, "PatchOptions")
    return 200, _scale(call, call.find(), body, "Apply")


def _scale(call: Call, old: Object, scale: Object, operation: str) -> Object:
    check_version(call, old, scale.get("metadata", {}))
    replicas = scale.get("spec", {}).get("replicas", 0)
    if replicas < 0:
        cause = bad_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("Scale", "autoscaling", call.address.name, [cause])
    new = clone(old)
    new["spec"]["replicas"] = replicas
    owner, path, now = call.owner(operation), ("f:spec", "f:replicas"), call.cluster.clock.stamp()
    ownership = Ownership(old)
    if operation == "Apply":
        force = call.query.get("force") == "true"
        body = {"spec": {"replicas": replicas}}
        _, ownership = apply_fields(old, body, owner, force=force, api_version="apps/v1", time=now)
    elif replicas != old["spec"]["replicas"]:
        ownership.take_from_others(owner, {path})
        ownership.set(owner, {path} if replicas else set(), now)
    if replicas != old["spec"]["replicas"]:
        new["metadata"]["generation"] += 1
    new["metadata"]["managedFields"] = ownership.entries(call.resource.api_version)
    return scale_of(new if call.is_dry else call.store.update(call.resource, new))
