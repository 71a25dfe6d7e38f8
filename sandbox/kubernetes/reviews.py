"""Who am I, may I, and what is there: the reviews and the discovery documents."""

from __future__ import annotations

import uuid
from typing import Any

from werkzeug.wrappers import Request

from .clock import Clock
from .kinds import ALL, GROUPS, Resource
from .rbac import Account

_AUTHORIZATION = "/apis/authorization.k8s.io/v1/"
_AUTHENTICATION = "/apis/authentication.k8s.io/v1/"


def respond(request: Request, account: Account, clock: Clock) -> dict[str, Any] | None:
    """The answer (201) to a posted review; None when the request is not one."""
    if request.method != "POST":
        return None
    if request.path == _AUTHENTICATION + "selfsubjectreviews":
        return _who(account, clock)
    if request.path == _AUTHORIZATION + "selfsubjectaccessreviews":
        return _may(account, request.get_json(force=True))
    return None


def _who(account: Account, clock: Clock) -> dict[str, Any]:
    groups = ["system:authenticated"]
    parts = account.name.split(":")
    if parts[:2] == ["system", "serviceaccount"]:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", *groups]
    body = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={uuid.uuid5(uuid.NAMESPACE_DNS, 'token')}"]}
    info = {"username": account.name, "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, account.name)), "groups": groups}
    return body | {"metadata": {"creationTimestamp": clock.stamp()}, "status": {"userInfo": info | {"extra": extra}}}


def _may(account: Account, asked: dict[str, Any]) -> dict[str, Any]:
    wanted = {key: value for key, value in asked["spec"]["resourceAttributes"].items() if value}
    name = wanted["resource"] + (f"/{wanted['subresource']}" if "subresource" in wanted else "")
    status: dict[str, Any] = {"allowed": account.may(wanted["verb"], wanted.get("group", ""), name)}
    if status["allowed"]:
        *_, namespace, short = ["", *account.name.split(":")]
        role = f'ClusterRole "{short}" to ServiceAccount "{short}/{namespace}"'
        status["reason"] = f'RBAC: allowed by ClusterRoleBinding "{short}" of {role}'
    body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
    return body | {"spec": {"resourceAttributes": wanted}, "status": status}


def discover(path: str) -> dict[str, Any] | None:
    """/api, /apis and one group version; None for anything else."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = [_group(group, version) for group, version in sorted(GROUPS) if group]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group, version in GROUPS:
        if path == (f"/apis/{group}/{version}" if group else f"/api/{version}"):
            return _resources(group, version)
    return None


def _group(group: str, version: str) -> dict[str, Any]:
    one = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [one], "preferredVersion": one}


def _resources(group: str, version: str) -> dict[str, Any]:
    name = f"{group}/{version}" if group else version
    rows = [_row(item) for item in ALL if (item.group, item.version) == (group, version)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": rows}


def _row(resource: Resource) -> dict[str, Any]:
    every = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    row = {"name": resource.plural, "singularName": resource.kind.lower(), "namespaced": resource.namespaced}
    return row | {"kind": resource.kind, "verbs": every}
