"""What the apps use right now, from the cluster's metrics API, where there is one.

Source: k8s.io/metrics v1beta1 (metrics-server). It answers one list for the whole cluster and knows no pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portal.provisioning import quantities
from portal.provisioning.connection import connection
from portal.provisioning.errors import ClusterUnavailable, Missing, Refused
from portal.provisioning.manifests import INSTANCE_LABEL

PATH = "/apis/metrics.k8s.io/v1beta1/pods"
NOT_THERE = 404


@dataclass(frozen=True)
class Use:
    """Processor and memory of an app, all containers of all its pods together."""

    cpu_millicores: int
    memory_mib: int


def read_use() -> dict[UUID, Use] | None:
    """The use of every app that runs, by its id; None where this cluster does not measure.

    An API that is installed but does not answer is `ClusterUnavailable`, like any other.
    """
    try:
        answer = connection().call("GET", PATH, query={"labelSelector": INSTANCE_LABEL})
    except Missing:
        return None
    except Refused as error:
        if error.details.get("status") == NOT_THERE:
            return None
        raise
    if "items" not in answer.json:
        raise ClusterUnavailable(error="a list without items")
    return _summed(answer.json["items"] or [])


def _summed(pods: Iterable[dict[str, Any]]) -> dict[UUID, Use]:
    found: dict[UUID, Use] = {}
    for pod in pods:
        try:
            instance_id, now = _instance_id(pod), _of_pod(pod)
        except ValueError:  # somebody else's pod under our label, or a figure that is none
            continue
        before = found.get(instance_id, Use(0, 0))
        found[instance_id] = Use(before.cpu_millicores + now.cpu_millicores, before.memory_mib + now.memory_mib)
    return found


def _of_pod(pod: dict[str, Any]) -> Use:
    usages = [container.get("usage") or {} for container in pod.get("containers") or []]
    cpu = sum((quantities.parse(usage.get("cpu", "0")) for usage in usages), start=quantities.parse(0))
    memory = sum((quantities.parse(usage.get("memory", "0")) for usage in usages), start=quantities.parse(0))
    return Use(round(cpu * 1000), round(memory / 2**20))


def _instance_id(pod: dict[str, Any]) -> UUID:
    return UUID(((pod.get("metadata") or {}).get("labels") or {}).get(INSTANCE_LABEL, ""))
