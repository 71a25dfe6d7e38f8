"""Everything the portal made in the cluster, whatever the namespace: the other side of the comparison.

Secrets can be neither read nor listed, so they are not here. Half a list is no list: any failure raises, and nothing
may be concluded from what was read before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.provisioning.cluster import NAMESPACE_KINDS, PAGE_TIMEOUT_S
from portal.provisioning.connection import connection
from portal.provisioning.errors import ClusterUnavailable
from portal.provisioning.manifests import (
    CUSTOMER_LABEL,
    INSTANCE_LABEL,
    MANAGED_KINDS,
    MANAGED_SELECTOR,
    ManagedKind,
    instance_selector,
)

COMPARED_KINDS = tuple(kind for kind in (*NAMESPACE_KINDS, *MANAGED_KINDS) if kind.listable)
PAGE_SIZE = 500
KEPT_METADATA = ("name", "namespace", "labels", "annotations")

Key = tuple[str, str]
"""The namespace (a Namespace's own name) and `Kind/name`."""


@dataclass(frozen=True)
class Found:
    """An object as the cluster has it, without its status: about 3 kB, kept while a comparison runs."""

    body: dict[str, Any]
    instance: str  # its label, empty on what belongs to the whole namespace
    customer: str
    created_at: datetime
    leaving: bool


Live = dict[Key, Found]


def key_of(body: dict[str, Any]) -> Key:
    """Where an object stands; the same for a manifest and for what the cluster made of it."""
    metadata = body["metadata"]
    return metadata.get("namespace") or metadata["name"], f"{body['kind']}/{metadata['name']}"


def read_all() -> Live:
    """Every labelled object of every kind that can be listed, read in pages."""
    found: Live = {}
    for kind in COMPARED_KINDS:
        for item in _pages(kind):
            body = {"kind": kind.kind, **item}
            found[key_of(body)] = _read(body)
    return found


def read_available() -> set[str]:
    """The ids of the apps of which the cluster itself says that a pod is ready."""
    deployments = next(kind for kind in COMPARED_KINDS if kind.kind == "Deployment")
    ready = [one for one in _pages(deployments) if (one.get("status") or {}).get("availableReplicas")]
    return {(one["metadata"].get("labels") or {}).get(INSTANCE_LABEL, "") for one in ready}


def read_of_instance(namespace: str, instance_id: object) -> Live:
    """What one app has in its namespace, of every kind that can be listed: one question per kind, for a page."""
    found: Live = {}
    for kind in MANAGED_KINDS:
        if not kind.listable:
            continue
        path = f"{kind.path_prefix}/namespaces/{namespace}/{kind.plural}"
        for item in pages(path, {"labelSelector": instance_selector(instance_id)}, timeout_s=PAGE_TIMEOUT_S):
            body = {"kind": kind.kind, **item}
            found[key_of(body)] = _read(body)
    return found


def _pages(kind: ManagedKind) -> Iterator[dict[str, Any]]:
    return pages(f"{kind.path_prefix}/{kind.plural}", {"labelSelector": MANAGED_SELECTOR})


def pages(path: str, query: dict[str, Any], *, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page. One that has become too old (410) ends the whole reading: its rest would be
    of another moment."""
    query = query | {"limit": PAGE_SIZE}
    while True:
        answer = connection().call("GET", path, query=query, timeout_s=timeout_s).json
        if "items" not in answer:
            raise ClusterUnavailable(error="a list without items")
        yield from answer["items"] or []
        more = (answer.get("metadata") or {}).get("continue")
        if not more:
            return
        query["continue"] = more


def _read(body: dict[str, Any]) -> Found:
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    kept = {name: metadata[name] for name in KEPT_METADATA if name in metadata}
    return Found(
        body={name: value for name, value in body.items() if name not in ("metadata", "status")} | {"metadata": kept},
        instance=labels.get(INSTANCE_LABEL, ""),
        customer=labels.get(CUSTOMER_LABEL, ""),
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        leaving="deletionTimestamp" in metadata,
    )
