"""Draws a pod's `status` from its life: phase, conditions, container statuses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

Life = dict[str, Any]
NODE_IP = "10.0.0.10"


def draw(cluster: Cluster, pod: Object, life: Life) -> dict[str, Any]:
    """The status as the server would show it now; transition times are kept where nothing changed."""
    before = pod["status"]
    status: dict[str, Any] = {}
    if "started_at" in life:
        status["observedGeneration"] = pod["metadata"]["generation"]
    status["phase"] = life["phase"]
    conditions = _conditions(pod, life)
    if conditions:
        status["conditions"] = [_dated(cluster, before, item) for item in conditions]
    if "started_at" in life:
        status |= _whereabouts(pod, life)
        status["startTime"] = life["started_at"]
        status["containerStatuses"] = [_container(pod, life, container) for container in pod["spec"]["containers"]]
        if pod["spec"].get("initContainers"):
            status["initContainerStatuses"] = [_init(life, item) for item in pod["spec"]["initContainers"]]
    return status | {"qosClass": before.get("qosClass", "BestEffort")}


def _conditions(pod: Object, life: Life) -> list[dict[str, Any]]:
    observed = {"observedGeneration": pod["metadata"]["generation"]}
    if "unschedulable" in life:
        why = {"reason": "Unschedulable", "message": life["unschedulable"]}
        return [{"type": "PodScheduled"} | observed | {"status": "False"} | why]
    if life["stage"] == "seen":
        return []
    if "started_at" not in life:
        return [{"type": "PodScheduled", "status": "True"}]
    is_up = life.get("sandbox_ready", False) and life["stage"] != "stopped"
    ready = "True" if life["ready"] else "False"
    made = [
        {"type": "PodReadyToStartContainers", "status": "True" if is_up else "False"},
        {"type": "Initialized", "status": "False" if _is_initializing(life) else "True"},
        {"type": "Ready", "status": ready} | _why_not_ready(pod, life),
        {"type": "ContainersReady", "status": ready} | _why_not_ready(pod, life),
        {"type": "PodScheduled", "status": "True"},
    ]
    return [item | observed for item in made]


def _is_initializing(life: Life) -> bool:
    return life["state"].get("waiting", {}).get("reason") == "PodInitializing"


def _why_not_ready(pod: Object, life: Life) -> dict[str, str]:
    if life["ready"]:
        return {}
    if life["stage"] == "stopped":
        return {"reason": "PodFailed"}
    names = " ".join(container["name"] for container in pod["spec"]["containers"])
    return {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}


def _dated(cluster: Cluster, before: dict[str, Any], condition: dict[str, Any]) -> dict[str, Any]:
    old = next((item for item in before.get("conditions", []) if item["type"] == condition["type"]), None)
    is_same = old is not None and old["status"] == condition["status"]
    since = old["lastTransitionTime"] if old and is_same else cluster.clock.stamp()
    return condition | {"lastProbeTime": None, "lastTransitionTime": since}


def _whereabouts(pod: Object, life: Life) -> dict[str, Any]:
    found: dict[str, Any] = {"hostIP": NODE_IP, "hostIPs": [{"ip": NODE_IP}]}
    if life.get("sandbox_ready"):
        found |= {"podIP": pod_ip(pod), "podIPs": [{"ip": pod_ip(pod)}]}
    return found


def pod_ip(pod: Object) -> str:
    number = int(pod["metadata"]["uid"][:6], 16)
    return f"10.244.{number // 250 % 250}.{number % 250 + 2}"


def container_id(pod: Object, life: Life) -> str:
    seed = f"{pod['metadata']['uid']}/{life['restarts']}"
    return "containerd://" + hashlib.sha256(seed.encode()).hexdigest()


def _container(pod: Object, life: Life, container: dict[str, Any]) -> dict[str, Any]:
    is_running = "running" in life["state"]
    has_run = is_running or "terminated" in life["state"] or bool(life["last"])
    status = {"name": container["name"], "state": life["state"], "lastState": life["last"]}
    status |= {
        "ready": life["ready"],
        "restartCount": life["restarts"],
        "image": container["image"],
        "imageID": "",
    }
    if has_run:
        digest = hashlib.sha256(container["image"].encode()).hexdigest()
        status |= {"imageID": f"sha256:{digest}", "containerID": container_id(pod, life)}
    return status | {"started": is_running}


def _init(life: Life, container: dict[str, Any]) -> dict[str, Any]:
    state = {"running": {"startedAt": life["started_at"]}}
    if not _is_initializing(life):
        times = {"startedAt": life["started_at"], "finishedAt": life["started_at"]}
        state = {"terminated": {"exitCode": 0, "reason": "Completed"} | times}
    status = {"name": container["name"], "state": state, "lastState": {}, "ready": not _is_initializing(life)}
    return status | {
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
        "started": _is_initializing(life),
    }
