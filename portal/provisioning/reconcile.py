"""Is a roll-out ready, under way or lost? Pure: what the cluster shows and what we want in, a verdict out.

The rules follow recorded answers of Kubernetes 1.36 (tests/contract/kubernetes): the answer to a write
carries the old status, so `observedGeneration` comes first; a counter of zero is absent; nothing that is wrong
with pods ever refuses a Deployment, so pods and conditions must be read; reasons flip in pairs while retries go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from portal.provisioning.observed import Container, Deployment, Pod, Snapshot

CRASHES_MAX = 3


class Outcome(StrEnum):
    READY = "READY"
    PROGRESSING = "PROGRESSING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Wanted:
    """What the roll-out is to reach. `restarted_at` is the annotation's text, empty when never restarted."""

    replicas: int
    restarted_at: str = ""


@dataclass(frozen=True)
class Verdict:
    """`steps` were reached so far, in order. `code` names the trouble, on FAILED the reason of the failure."""

    outcome: Outcome
    steps: tuple[str, ...] = ()
    code: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """Something wrong right now. It may heal by itself within `patience`, counted from its first sighting."""

    code: str
    patience: timedelta
    parameters: dict[str, Any] = field(default_factory=dict)


PATIENCE = {
    "image_name_invalid": timedelta(0),
    "crash_loop": timedelta(0),  # three crashes are patience enough
    "out_of_memory": timedelta(0),
    "quota": timedelta(seconds=45),  # an older pod may still be leaving
    "refused": timedelta(seconds=60),  # the controller tries again with a growing pause
    "image_not_found": timedelta(seconds=60),  # a registry may be busy: about four tries
    "config_missing": timedelta(seconds=60),
    "no_capacity": timedelta(seconds=120),  # a cluster that grows by itself needs a while for a node
}


def judge(
    snapshot: Snapshot, wanted: Wanted, *, now: datetime, deadline: datetime, seen: Mapping[str, datetime]
) -> Verdict:
    """The verdict at `now`. `seen` says since when each trouble of this roll-out has been known.

    Ready wins over a deadline that passed while nobody looked. A stop has no deadline: it only takes longer.
    """
    deployment = snapshot.deployment
    if deployment is None or not _is_ours(deployment, wanted):
        return _unless_late(Verdict(Outcome.PROGRESSING), "not_ready_in_time", now, deadline)
    if wanted.replicas == 0:
        stopped = _is_observed(deployment) and deployment.replicas == 0 and not snapshot.pods
        return Verdict(Outcome.READY if stopped else Outcome.PROGRESSING)
    steps = _steps(snapshot)
    if _is_rolled_out(deployment):
        return Verdict(Outcome.READY, (*steps, "healthy"))
    trouble = find_trouble(snapshot) if _is_observed(deployment) else None
    if trouble is None:
        return _unless_late(Verdict(Outcome.PROGRESSING, steps), "not_ready_in_time", now, deadline)
    failed = now >= deadline or now - seen.get(trouble.code, now) >= trouble.patience
    outcome = Outcome.FAILED if failed else Outcome.PROGRESSING
    return Verdict(outcome, steps, trouble.code, trouble.parameters)


def is_replaced(snapshot: Snapshot, wanted: Wanted) -> bool:
    """The cluster works on what is wanted, and nothing made for an earlier wish is left, healthy or not."""
    deployment = snapshot.deployment
    if deployment is None or not (_is_ours(deployment, wanted) and _is_observed(deployment)):
        return False
    return all(pod.template == deployment.template for pod in snapshot.pods)


def find_trouble(snapshot: Snapshot) -> Trouble | None:
    """What keeps the pods from running, the gravest first; None when nothing shows."""
    pods = snapshot.current_pods
    containers = [container for pod in pods for container in pod.containers]
    for container in containers:
        if (code := _container_trouble(container)) is not None:
            return _trouble(code, container)
    if any(pod.unschedulable for pod in pods):
        return Trouble("no_capacity", PATIENCE["no_capacity"])
    if snapshot.deployment is not None and not pods and snapshot.deployment.create_failure:
        code = "quota" if "exceeded quota" in snapshot.deployment.create_failure else "refused"
        return Trouble(code, PATIENCE[code])
    return None


def _container_trouble(container: Container) -> str | None:
    """Waiting reasons flip (ErrImagePull and ImagePullBackOff, Error and CrashLoopBackOff): each pair is one."""
    match container.waiting_reason:
        case "InvalidImageName":
            return "image_name_invalid"
        case "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ErrImageNeverPull":
            return "image_not_found"
        case "CreateContainerConfigError" | "CreateContainerError":
            return "config_missing"
    if container.restarts >= CRASHES_MAX and not container.ready:
        return "out_of_memory" if container.exit_reason == "OOMKilled" else "crash_loop"
    return None


def _trouble(code: str, container: Container) -> Trouble:
    parameters: dict[str, Any] = {"container": container.name}
    if code.startswith("image_"):
        parameters["image"] = container.image
    if code == "crash_loop":
        parameters |= {"exit_code": container.exit_code, "restarts": container.restarts}
    return Trouble(code, PATIENCE[code], parameters)


def _is_ours(deployment: Deployment, wanted: Wanted) -> bool:
    """The Deployment carries the wanted state; else our own apply has not arrived yet."""
    return deployment.wanted_replicas == wanted.replicas and deployment.restarted_at == wanted.restarted_at


def _is_observed(deployment: Deployment) -> bool:
    """The controller has seen this generation; before that the status speaks of an older one."""
    return deployment.observed_generation >= deployment.generation > 0


def _is_rolled_out(deployment: Deployment) -> bool:
    counters = (deployment.updated_replicas, deployment.replicas, deployment.available_replicas)
    return _is_observed(deployment) and counters == (deployment.wanted_replicas,) * 3


def _steps(snapshot: Snapshot) -> tuple[str, ...]:
    pods = snapshot.current_pods
    reached = {"scheduled": any(pod.scheduled for pod in pods), "started": any(_is_started(pod) for pod in pods)}
    return tuple(step for step, done in reached.items() if done)


def _is_started(pod: Pod) -> bool:
    return bool(pod.containers) and all(container.running for container in pod.containers)


def _unless_late(verdict: Verdict, code: str, now: datetime, deadline: datetime) -> Verdict:
    if now < deadline:
        return verdict
    return Verdict(Outcome.FAILED, verdict.steps, code)
