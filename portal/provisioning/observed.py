"""What the cluster has, as small frozen values read from the API server's JSON. Pure.

Kubernetes leaves out a counter that is zero and a status it has not written yet; here both are plain zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.provisioning import quantities

Json = dict[str, Any]

RESTARTED_AT = "minispod.io/restarted-at"
CONFIG_CHECKSUM = "minispod.io/config-checksum"


@dataclass(frozen=True)
class Container:
    """One container of a pod, sidecars included. A waiting reason flips while retries go on."""

    name: str
    ready: bool = False
    running: bool = False
    restarts: int = 0
    waiting_reason: str = ""
    exit_reason: str = ""  # of the last end, now or in the state before
    exit_code: int | None = None
    image: str = ""


@dataclass(frozen=True)
class Pod:
    name: str
    template: tuple[str, str]  # what tells the pods of one roll-out from those of the one before
    leaving: bool = False
    scheduled: bool = False
    unschedulable: bool = False
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True)
class Deployment:
    generation: int
    observed_generation: int
    wanted_replicas: int
    replicas: int
    updated_replicas: int
    available_replicas: int
    template: tuple[str, str]
    create_failure: str = ""  # the message of ReplicaFailure: no pod could be made

    @property
    def restarted_at(self) -> str:
        return self.template[0]


@dataclass(frozen=True)
class Snapshot:
    """An instance in the cluster at one moment; the Deployment is None when it is not there."""

    deployment: Deployment | None
    pods: tuple[Pod, ...] = ()

    @property
    def current_pods(self) -> tuple[Pod, ...]:
        """The pods of this roll-out: neither on their way out nor made from an older template."""
        if self.deployment is None:
            return ()
        template = self.deployment.template
        return tuple(pod for pod in self.pods if not pod.leaving and pod.template == template)


@dataclass(frozen=True)
class Claim:
    """A volume: how large it was asked to be, and how large it is by now. GiB, begun ones not counted."""

    asked_gib: int
    has_gib: int
    waits_for_pod: bool = False  # the disk has grown; its file system follows when a pod next mounts it

    @property
    def grown(self) -> bool:
        """As large as asked, as far as it depends on us."""
        return self.has_gib >= self.asked_gib or self.waits_for_pod


@dataclass(frozen=True)
class ClusterEvent:
    """Something Kubernetes noted about an instance's objects."""

    happened_at: datetime
    warning: bool
    reason: str
    count: int


def read_deployment(body: Json) -> Deployment:
    status, spec = body.get("status") or {}, body.get("spec") or {}
    return Deployment(
        generation=body["metadata"].get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        wanted_replicas=spec.get("replicas", 1),
        replicas=status.get("replicas", 0),
        updated_replicas=status.get("updatedReplicas", 0),
        available_replicas=status.get("availableReplicas", 0),
        template=_template_of(spec.get("template") or {}),
        create_failure=_create_failure(status),
    )


def read_pod(body: Json) -> Pod:
    status = body.get("status") or {}
    placed = _condition(status, "PodScheduled")
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return Pod(
        name=body["metadata"]["name"],
        template=_template_of(body),
        leaving="deletionTimestamp" in body["metadata"],
        scheduled=placed.get("status") == "True",
        unschedulable=placed.get("status") == "False" and placed.get("reason") == "Unschedulable",
        containers=tuple(_read_container(one) for one in statuses),
    )


def read_claim(body: Json) -> Claim:
    """A claim as the server shows it, or a manifest of one."""
    status = body.get("status") or {}
    waits = _condition(status, "FileSystemResizePending").get("status") == "True"
    asked = body["spec"]["resources"]["requests"]["storage"]
    return Claim(_gib(asked), _gib((status.get("capacity") or {}).get("storage", "0")), waits)


def read_event(body: Json) -> ClusterEvent:
    """Scheduler events carry `eventTime` alone, all others `lastTimestamp`."""
    moment = body.get("lastTimestamp") or body.get("eventTime") or body["metadata"]["creationTimestamp"]
    return ClusterEvent(
        happened_at=datetime.fromisoformat(moment),
        warning=body.get("type") == "Warning",
        reason=body.get("reason") or "",
        count=body.get("count") or 1,
    )


def _read_container(body: Json) -> Container:
    state = body.get("state") or {}
    ended = state.get("terminated") or (body.get("lastState") or {}).get("terminated") or {}
    return Container(
        name=body["name"],
        ready=body.get("ready", False),
        running="running" in state,
        restarts=body.get("restartCount", 0),
        waiting_reason=(state.get("waiting") or {}).get("reason", ""),
        exit_reason=ended.get("reason", ""),
        exit_code=ended.get("exitCode"),
        image=body.get("image", ""),
    )


def _template_of(body: Json) -> tuple[str, str]:
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return annotations.get(RESTARTED_AT, ""), annotations.get(CONFIG_CHECKSUM, "")


def _create_failure(status: Json) -> str:
    failure = _condition(status, "ReplicaFailure")
    return failure.get("message", "") if failure.get("status") == "True" else ""


def _condition(status: Json, kind: str) -> Json:
    return next((one for one in status.get("conditions") or [] if one.get("type") == kind), {})


def _gib(quantity: str) -> int:
    """Whole GiB of a quantity such as `10Gi`, `10240Mi` or `10737418240`."""
    return int(quantities.parse(quantity) // 2**30)
