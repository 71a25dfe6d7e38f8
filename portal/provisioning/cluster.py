"""The one wrapper of Kubernetes: apply, look, read logs and events, delete. Every call is outside transactions.

Raises `ClusterUnavailable` (try again, with an end in mind) or `Refused` (do not). All verbs may be repeated: an
unchanged apply costs nothing, deleting what is gone is success.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog

from portal.provisioning.connection import APPLY, MERGE, Connection, connection
from portal.provisioning.errors import ClusterUnavailable, Missing, Refused
from portal.provisioning.manifests import (
    FIELD_MANAGER,
    MANAGED_KINDS,
    ManagedKind,
    certificate_secret_name,
    claim_name,
    instance_selector,
)
from portal.provisioning.observed import (
    Claim,
    ClusterEvent,
    Snapshot,
    read_claim,
    read_deployment,
    read_event,
    read_pod,
)

log = structlog.get_logger()

Manifest = dict[str, Any]

NAMESPACE_KINDS = (
    ManagedKind("v1", "Namespace", "namespaces"),
    ManagedKind("v1", "ResourceQuota", "resourcequotas"),
    ManagedKind("v1", "LimitRange", "limitranges"),
    ManagedKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)
CHILD_KINDS = (ManagedKind("apps/v1", "ReplicaSet", "replicasets"), ManagedKind("v1", "Pod", "pods"))
"""Made by the controller; they carry the label too, and go with the Deployment."""

KINDS = {kind.kind: kind for kind in (*NAMESPACE_KINDS, *MANAGED_KINDS, *CHILD_KINDS)}
CLAIM = KINDS["PersistentVolumeClaim"]
LOG_BYTES_MAX = 256 * 1024
PAGE_TIMEOUT_S = 5.0
"""How long a person waits in front of a page before it says that the cluster does not answer."""


def apply(manifests: Iterable[Manifest]) -> None:
    """Applies each manifest in the order given. Nothing else writes these fields, so force is sound.

    A failure leaves the objects before it applied: repeat all, or clean up.
    """
    link = connection()
    for manifest in manifests:
        _apply_one(link, manifest)


def scale_to_zero(namespace: str, name: str) -> None:
    """Stops a Deployment as it is, for an app that nobody can describe any more; one that is not there has stopped."""
    path, query = _path(KINDS["Deployment"], namespace, name), {"fieldManager": FIELD_MANAGER}
    try:
        connection().call("PATCH", path, query=query, body={"spec": {"replicas": 0}}, content_type=MERGE)
    except Missing:
        log.info("cluster.nothing_to_stop", namespace=namespace, name=name)


def observe(namespace: str, name: str, instance_id: UUID) -> Snapshot:
    """The instance's Deployment and pods as they are now."""
    link = connection()
    pods = _list(link, KINDS["Pod"], namespace, instance_selector(instance_id))
    try:
        body = link.call("GET", _path(KINDS["Deployment"], namespace, name)).json
    except Missing:
        return Snapshot(None, tuple(map(read_pod, pods)))
    return Snapshot(read_deployment(body), tuple(map(read_pod, pods)))


def grow_claim(manifest: Manifest) -> Claim:
    """Asks for a volume as large as the manifest says, if it is smaller; returns it as it is then. It never shrinks.

    The storage driver does the work later: `Claim.grown` tells. `Refused` where the StorageClass cannot expand.
    """
    link, metadata = connection(), manifest["metadata"]
    path = _path(CLAIM, metadata["namespace"], metadata["name"])
    found = link.call("GET", path).json
    if read_claim(found).asked_gib >= read_claim(manifest).asked_gib:
        return read_claim(found)
    spec = manifest["spec"] | {"storageClassName": found["spec"].get("storageClassName")}
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    return read_claim(link.call("PATCH", path, query=query, body=manifest | {"spec": spec}, content_type=APPLY).json)


def observe_claim(namespace: str, name: str) -> Claim | None:
    """The volume of an instance as it is now; None when it is not there."""
    try:
        return read_claim(connection().call("GET", _path(CLAIM, namespace, claim_name(name))).json)
    except Missing:
        return None


def read_log(
    namespace: str, instance_id: UUID, *, container: str, lines: int = 200, bytes_max: int = LOG_BYTES_MAX
) -> str:
    """The last lines that the newest pod wrote; empty when nothing runs yet. For pages: 5 s at most per call.

    Past `bytes_max` the newest lines are cut, as the API does it.
    """
    link = connection()
    pods = _list(link, KINDS["Pod"], namespace, instance_selector(instance_id), timeout_s=PAGE_TIMEOUT_S)
    if not pods:
        return ""
    newest = max(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    path = f"{_path(KINDS['Pod'], namespace, newest['metadata']['name'])}/log"
    query = {"container": container, "tailLines": lines, "limitBytes": bytes_max}
    try:
        return link.call("GET", path, query=query, timeout_s=PAGE_TIMEOUT_S).text
    except Refused:  # 400: it waits for its image or its start; 404: gone since the list
        return ""


def read_events(namespace: str, name: str, *, limit: int = 30) -> list[ClusterEvent]:
    """What Kubernetes noted lately about objects of that name (its pods begin with it), newest first."""
    answer = connection().call("GET", f"/api/v1/namespaces/{namespace}/events", timeout_s=PAGE_TIMEOUT_S)
    ours = [one for one in answer.json.get("items") or [] if _concerns(one, name)]
    return sorted(map(read_event, ours), key=lambda event: event.happened_at, reverse=True)[:limit]


def delete_instance(namespace: str, name: str, instance_id: UUID, *, domains: Sequence[str] = ()) -> None:
    """Asks for the end of everything labelled with the instance; `leftovers` tells when it has come.

    The certificates of its `domains` go with it; they carry no label.

    In reverse order of creation, pods in the foreground: the Deployment stays visible until they are gone. One by
    one, so that the worker needs no right to delete whole collections.
    """
    link, selector = connection(), instance_selector(instance_id)
    for kind in reversed(MANAGED_KINDS):
        if kind.listable:
            for item in _list(link, kind, namespace, selector):
                _delete_by_name(link, kind, namespace, item["metadata"]["name"])
    for secret in _secrets_of(name, domains):
        _delete_by_name(link, KINDS["Secret"], namespace, secret)


def leftovers(namespace: str, name: str, instance_id: UUID, *, domains: Sequence[str] = ()) -> list[str]:
    """What is still there of the instance, as `Kind/name`; empty is the cluster's word that nothing is left.

    Secrets can be neither read nor listed, so they are deleted once more: 404 is the proof.
    """
    link = connection()
    selector = instance_selector(instance_id)
    found = [
        f"{kind.kind}/{item['metadata']['name']}"
        for kind in (*MANAGED_KINDS, *CHILD_KINDS)
        if kind.listable
        for item in _list(link, kind, namespace, selector)
    ]
    secrets = [one for one in _secrets_of(name, domains) if _delete_by_name(link, KINDS["Secret"], namespace, one)]
    return found + [f"Secret/{secret}" for secret in secrets]


def delete_certificate(namespace: str, name: str, domain: str) -> None:
    """Deletes the certificate of a domain that no longer leads to the instance of that name."""
    _delete_by_name(connection(), KINDS["Secret"], namespace, certificate_secret_name(name, domain))


def check_health() -> None:
    """Returns when the API server says it is ready; raises `ClusterUnavailable` or `Refused` otherwise."""
    connection().call("GET", "/readyz", timeout_s=PAGE_TIMEOUT_S)


def _apply_one(link: Connection, manifest: Manifest) -> None:
    kind, metadata = KINDS[manifest["kind"]], manifest["metadata"]
    path = _path(kind, metadata.get("namespace"), metadata["name"])
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    try:
        link.call("PATCH", path, query=query, body=manifest, content_type=APPLY)
    except Missing as error:  # the namespace: it was there a moment ago
        raise ClusterUnavailable(error="the namespace is gone") from error
    except Refused:
        # A claim's class is fixed once it is made (an operator's new StorageClass is for new instances), and its size
        # is `grow_claim`'s affair: to roll out, it is enough that it is there.
        if not (kind is CLAIM and _exists(link, path)):
            raise


def _exists(link: Connection, path: str) -> bool:
    try:
        link.call("GET", path)
    except Missing:
        return False
    return True


def _list(
    link: Connection, kind: ManagedKind, namespace: str, selector: str, *, timeout_s: float | None = None
) -> list[dict[str, Any]]:
    answer = link.call("GET", _path(kind, namespace), query={"labelSelector": selector}, timeout_s=timeout_s)
    if "items" not in answer.json:
        raise ClusterUnavailable(error="a list without items")
    return answer.json["items"] or []


def _delete_by_name(link: Connection, kind: ManagedKind, namespace: str, name: str) -> bool:
    """True when there was something to delete."""
    try:
        policy = "Foreground" if kind.kind == "Deployment" else "Background"
        link.call("DELETE", _path(kind, namespace, name), query={"propagationPolicy": policy})
    except Missing:
        return False
    return True


def _path(kind: ManagedKind, namespace: str | None, name: str = "") -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{kind.path_prefix}{scope}/{kind.plural}" + (f"/{name}" if name else "")


def _secrets_of(name: str, domains: Sequence[str]) -> list[str]:
    return [name, certificate_secret_name(name), *(certificate_secret_name(name, domain) for domain in domains)]


def _concerns(event: dict[str, Any], name: str) -> bool:
    about = (event.get("involvedObject") or {}).get("name") or ""
    return about == name or about.startswith(f"{name}-")
