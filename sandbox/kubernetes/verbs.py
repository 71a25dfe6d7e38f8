"""What the API does to objects: get, list, create, replace, patch, apply, delete, and the scale subresource.

Each function holds the store's lock, raises `Refusal`, and answers `(status code, body)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import admission, defaults, deletion, rbac, schema, validation
from .apply import Owner, Ownership, record_update
from .apply import apply as apply_fields
from .cloning import clone
from .kinds import Address, Resource
from .rbac import Account
from .refusals import (
    already_exists,
    bad_request,
    bad_value,
    forbidden,
    invalid,
    not_found,
    stale,
    unsupported,
)
from .replicasets import finish_pod
from .store import Object, Store, new_uid

if TYPE_CHECKING:
    from .cluster import Cluster

Answer = tuple[int, dict[str, Any]]


@dataclass
class Call:
    """One request, read: where it goes, who sent it, with which options. `warnings` become headers."""

    cluster: Cluster
    address: Address
    account: Account
    query: dict[str, str]
    user_agent: str = "unknown"
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        assert self.address.resource is not None
        return self.address.resource

    @property
    def store(self) -> Store:
        return self.cluster.store

    @property
    def is_dry(self) -> bool:
        return self.query.get("dryRun") == "All"

    def owner(self, operation: str) -> Owner:
        manager = self.query.get("fieldManager") or self.user_agent.split("/")[0]
        subresource = self.address.subresource if self.address.subresource == "scale" else ""
        return manager, operation, subresource

    def find(self) -> Object:
        """The object of the address, or 404."""
        found = self.store.get(self.resource, self.address.namespace, self.address.name)
        if found is None:
            raise not_found(self.resource, self.address.name)
        return found


def shown(resource: Resource, obj: Object) -> Object:
    """An object as an answer carries it. (Items of a list go without kind and apiVersion.)"""
    return {"kind": resource.kind, "apiVersion": resource.api_version} | obj


def check_options(call: Call, kind: str) -> None:
    """dryRun is All or nothing."""
    dry = call.query.get("dryRun")
    if dry not in (None, "", "All"):
        raise invalid(kind, "meta.k8s.io", "", [unsupported("dryRun", f'["{dry}"]', ["All"])])


def read(call: Call) -> Answer:
    return 200, shown(call.resource, call.find())


# creating


def create(call: Call, body: Object) -> Answer:
    """POST: 201, or 409 when the name is taken."""
    check_options(call, "CreateOptions")
    resource, namespace = call.resource, call.address.namespace
    _check_kind(resource, body)
    call.warnings += schema.check_posted(resource, body, call.query.get("fieldValidation", "Warn"))
    obj = _without_type(body)
    meta = obj.setdefault("metadata", {})
    if meta.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if meta.get("generateName") and not meta.get("name"):
        meta["name"] = meta["generateName"] + new_uid()[:5]
    if call.store.get(resource, namespace, meta.get("name", "")) is not None:
        admission.admit_namespace(call.store, resource, namespace, meta["name"])
        raise already_exists(resource, meta["name"])
    return 201, _insert(
        call, obj, lambda made: record_update(None, made, call.owner("Update"), call.cluster.clock.stamp())
    )


def _check_kind(resource: Resource, body: Object) -> None:
    if body.get("kind", resource.kind) != resource.kind:
        given = f"({body.get('apiVersion')}.{body['kind']}) to ({resource.group or 'core'}.{resource.kind})"
        intro = f'{body["kind"]} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        raise bad_request(f"{intro}converting {given}: unknown conversion")


def _without_type(body: Object) -> Object:
    return {key: clone(value) for key, value in body.items() if key not in ("kind", "apiVersion")}


def _insert(call: Call, obj: Object, own: Callable[[Object], Ownership]) -> Object:
    """Admission, defaults, validation, then the store; a dry run stops before the store."""
    resource, store, now = call.resource, call.store, call.cluster.clock.stamp()
    meta = obj["metadata"]
    admission.admit_namespace(store, resource, call.address.namespace, meta.get("name", ""))
    if resource.namespaced:
        meta["namespace"] = call.address.namespace
    for name in ("resourceVersion", "uid", "generation", "deletionTimestamp", "managedFields"):
        meta.pop(name, None)
    obj.pop("status", None)
    ownership = own(clone(obj))
    defaults.fill(resource, obj)
    admission.complete(store, resource, obj)
    validation.check(resource, obj)
    _finish_new(call, obj)
    admission.admit_creation(store, resource, obj)
    call.warnings += admission.warnings(store, resource, obj)
    meta |= {"uid": new_uid(), "creationTimestamp": now}
    if resource.has_generation:
        meta["generation"] = 1
    meta["managedFields"] = ownership.entries(resource.api_version)
    return shown(resource, obj if call.is_dry else store.add(resource, obj))


def _finish_new(call: Call, obj: Object) -> None:
    kind = call.resource.kind
    if kind == "PersistentVolumeClaim":
        obj["metadata"]["finalizers"] = sorted({*obj["metadata"].get("finalizers", []), "kubernetes.io/pvc-protection"})
    elif kind == "Service" and "clusterIP" not in obj["spec"]:
        number = call.store.version
        obj["spec"]["clusterIP"] = f"10.96.{number // 250 % 250}.{number % 250 + 2}"
        obj["spec"]["clusterIPs"] = [obj["spec"]["clusterIP"]]
    elif kind == "Pod":
        finish_pod(obj)


# changing


def replace(call: Call, body: Object) -> Answer:
    """PUT: unconditional without a resourceVersion, 409 with an old one."""
    check_options(call, "UpdateOptions")
    _check_kind(call.resource, body)
    call.warnings += schema.check_posted(call.resource, body, call.query.get("fieldValidation", "Warn"))
    _check_name(call, body)
    old = call.find()
    return 200, _update(call, old, _without_type(body))


def _check_name(call: Call, body: Object) -> None:
    name = body.setdefault("metadata", {}).setdefault("name", call.address.name)
    if name != call.address.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.address.name})")


def patch(call: Call, change: Callable[[Object], Object]) -> Answer:
    """Any patch but apply; `change` makes the new object out of the old one."""
    check_options(call, "PatchOptions")
    old = call.find()
    new = change(clone(old))
    if call.address.subresource != "status":
        call.warnings += schema.check_posted(call.resource, new, call.query.get("fieldValidation", "Warn"))
    return 200, _update(call, old, new)


def apply(call: Call, body: Object) -> Answer:
    """Server-side apply: creates with 201, changes with 200, refuses other owners' fields with 409."""
    resource = call.resource
    check_options(call, "PatchOptions")
    _check_applied(call, body)
    schema.check_applied(resource, body)
    old = call.store.get(resource, call.address.namespace, call.address.name)
    obj = _without_type(body)
    if obj.get("data"):  # a null in a map of strings is the empty string
        obj["data"] = {key: "" if value is None else value for key, value in obj["data"].items()}
    meta = obj["metadata"]
    if meta.get("namespace", call.address.namespace) != call.address.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if old is None:
        return 201, _apply_new(call, obj)
    return 200, _apply_change(call, old, obj)


def _check_applied(call: Call, body: Object) -> None:
    version, kind = body.get("apiVersion", ""), body.get("kind", "")
    if (version, kind) != (call.resource.api_version, call.resource.kind):
        shown_version = version if "/" in version or not version else f"/{version}"
        raise bad_request(f"invalid object type: {shown_version or '/'}, Kind={kind}")
    _check_name(call, body)
    if "managedFields" in body["metadata"]:
        raise bad_request("metadata.managedFields must be nil")


def _apply_new(call: Call, obj: Object) -> Object:
    name, uid = call.address.name, obj["metadata"].get("uid")
    rbac.authorize(call.account, "create", call.address)
    admission.admit_namespace(call.store, call.resource, call.address.namespace, name)
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise stale(call.resource, name, why)
    owner, now = call.owner("Apply"), call.cluster.clock.stamp()
    applied = clone(obj)
    version = call.resource.api_version

    def own(_: Object) -> Ownership:
        return apply_fields(None, applied, owner, force=True, api_version=version, time=now)[1]

    return _insert(call, _pruned(obj), own)


def _pruned(obj: Any) -> Any:
    """Without the nulls, which mean nothing in an applied body."""
    if isinstance(obj, list):
        return [_pruned(item) for item in obj]
    if not isinstance(obj, dict):
        return obj
    return {key: _pruned(value) for key, value in obj.items() if value is not None}


def _apply_change(call: Call, old: Object, obj: Object) -> Object:
    obj.pop("status", None)
    force = call.query.get("force") == "true"
    version, now = call.resource.api_version, call.cluster.clock.stamp()
    check_version(call, old, obj["metadata"])
    merged, ownership = apply_fields(old, obj, call.owner("Apply"), force=force, api_version=version, time=now)
    return _store_change(call, old, merged, ownership, uid=obj["metadata"].get("uid"))


def check_version(call: Call, old: Object, meta: dict[str, Any]) -> None:
    """409 when the caller's resourceVersion is not the one in record."""
    version = meta.get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        raise stale(call.resource, call.address.name)


def _update(call: Call, old: Object, new: Object) -> Object:
    check_version(call, old, new["metadata"])
    if call.address.subresource == "status":
        new = clone(old) | {"status": new.get("status", {})}
        return shown(call.resource, new if call.is_dry else call.store.update(call.resource, new))
    uid = new["metadata"].get("uid")
    new["metadata"] = _kept_meta(old, new["metadata"])
    if "status" in old:
        new["status"] = old["status"]
    filled = clone(new)
    defaults.fill(call.resource, filled)
    ownership = record_update(old, filled, call.owner("Update"), call.cluster.clock.stamp())
    return _store_change(call, old, new, ownership, uid=uid)


_SERVER_META = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
    "resourceVersion",
    "managedFields",
    "generateName",
)


def _kept_meta(old: Object, meta: dict[str, Any]) -> dict[str, Any]:
    """The caller's metadata with everything that only the server writes put back."""
    own = {key: value for key, value in meta.items() if key not in _SERVER_META}
    return own | {key: old["metadata"][key] for key in _SERVER_META if key in old["metadata"]}


def _store_change(call: Call, old: Object, new: Object, ownership: Ownership, *, uid: str | None) -> Object:
    resource, store, now = call.resource, call.store, call.cluster.clock.stamp()
    new["metadata"] = _kept_meta(old, new["metadata"])
    defaults.fill(resource, new)
    _keep_assigned(resource, old, new)
    if uid and uid != old["metadata"]["uid"]:
        causes = [bad_value("metadata.uid", uid, "field is immutable")] * 2
        raise invalid(resource.kind, resource.group, call.address.name, causes)
    validation.check(resource, new)
    validation.check_change(resource, old, new)
    admission.admit_change(store, resource, old, new)
    call.warnings += admission.warnings(store, resource, new)
    if _has_new_generation(resource, old, new):
        new["metadata"]["generation"] = old["metadata"]["generation"] + 1
    ownership.forget_missing(new, now)
    new["metadata"]["managedFields"] = ownership.entries(resource.api_version)
    if call.is_dry or deletion.finish_if_free(call.cluster, resource, new):
        return shown(resource, new)
    return shown(resource, store.update(resource, new))


def _keep_assigned(resource: Resource, old: Object, new: Object) -> None:
    """What the server assigned once stays, whatever the body left out."""
    fields = {
        "Service": ("clusterIP", "clusterIPs"),
        "PersistentVolumeClaim": ("volumeName",),
        "Pod": ("nodeName",),
    }
    for name in fields.get(resource.kind, ()):
        if name in old["spec"]:
            new["spec"].setdefault(name, old["spec"][name])
    if resource.kind == "Namespace":
        new["spec"] = old["spec"]


def _has_new_generation(resource: Resource, old: Object, new: Object) -> bool:
    if not resource.has_generation:
        return False
    annotations = [obj["metadata"].get("annotations") for obj in (old, new)]
    is_noted = resource.kind == "Deployment" and annotations[0] != annotations[1]
    return old.get("spec") != new.get("spec") or is_noted


# deleting


def _options(call: Call, body: Object) -> tuple[str, int | None]:
    check_options(call, "DeleteOptions")
    choices = ["Foreground", "Background", "Orphan", "nil"]
    policy = body.get("propagationPolicy") or call.query.get("propagationPolicy") or "Background"
    if policy not in choices[:3]:
        causes = [unsupported("propagationPolicy", f'"{policy}"', choices)]
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)
    grace = body.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    return policy, None if grace is None else int(grace)


def delete(call: Call, body: Object) -> Answer:
    """Background answers a Status; Foreground, Orphan, pods, namespaces and what is held answer the object."""
    policy, grace_s = _options(call, body)
    obj, resource = call.find(), call.resource
    check_preconditions(call, obj, body.get("preconditions") or {})
    if resource.kind == "Namespace" and call.address.name in ("default", "kube-system", "kube-public"):
        raise forbidden(resource, call.address.name, "this namespace may not be deleted")
    left = None if call.is_dry else deletion.delete(call.cluster, resource, obj, policy, grace_s)
    if left is None and resource.kind == "Pod":
        return 200, shown(resource, obj)
    if left is not None:
        return 200, shown(resource, left)
    details = {
        "name": call.address.name,
        "group": resource.group,
        "kind": resource.plural,
        "uid": obj["metadata"]["uid"],
    }
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return 200, status | {"details": {key: value for key, value in details.items() if value}}


def check_preconditions(call: Call, obj: Object, wanted: dict[str, str]) -> None:
    meta, resource = obj["metadata"], call.resource
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if (uid and uid != meta["uid"]) or (version and version != meta["resourceVersion"]):
        word, given, found = ("UID", uid, meta["uid"]) if uid else ("ResourceVersion", version, meta["resourceVersion"])
        why = f"the {word} in the precondition ({given}) does not match the {word} in record ({found}). "
        refusal = stale(resource, call.address.name, why + "The object might have been deleted and then recreated")
        refusal.message = refusal.message.replace(f"on {resource.qualified} ", f"on {resource.qualified_kind} ")
        refusal.details = (refusal.details or {}) | {"kind": resource.kind}
        raise refusal


def delete_collection(call: Call, body: Object, items: list[Object]) -> Answer:
    """Deletes the listed objects; the answer lists them as they were."""
    policy, grace_s = _options(call, body)
    for obj in items:
        if not call.is_dry:
            deletion.delete(call.cluster, call.resource, obj, policy, grace_s)
    resource = call.resource
    listed = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
    return 200, listed | {"metadata": {"resourceVersion": str(call.store.version)}, "items": items}
