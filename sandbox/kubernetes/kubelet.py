"""Scheduler and node agent in one: each pod lives through the stages that a real one shows.

A pod's life is kept beside the object (`cluster.runtime`), and its status is drawn from the life by `podstatus`.
No process runs: what goes wrong is decided by the pod's spec (too much CPU, a missing Secret) and by the ailments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import events, logs, nodes, podstatus, scheduler
from .cloning import clone
from .kinds import CONFIG_MAPS, PODS, SECRETS
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

Life = dict[str, Any]
CRASHES = ("crash-loop", "oom-killed", "liveness")
CRASH_AFTER_S = 1.0
BACKOFF_MAX_S = 300
PULL_RETRY_S = 5.0
LINGER_S = 0.75
BETWEEN_PODS_S = 0.5
FORGETS_AFTER = 100  # changes: what is remembered of pods that are gone costs memory alone


def tick(cluster: Cluster) -> None:
    for pod in cluster.rest.awake(PODS):
        life = cluster.runtime.setdefault(pod["metadata"]["uid"], {})
        if not life:
            cluster.pod_count += 1
            life["late_s"] = BETWEEN_PODS_S * (cluster.pod_count % 3)  # replicas come up one by one
            life |= {
                "stage": "seen",
                "restarts": 0,
                "state": {},
                "last": {},
                "ready": False,
                "phase": "Pending",
            }
            continue
        _Step(cluster, pod, life).run()
    _forget_the_gone(cluster)


def _forget_the_gone(cluster: Cluster) -> None:
    if cluster.store.version - cluster.forgotten_version < FORGETS_AFTER:
        return
    living = {obj["metadata"]["uid"] for obj in cluster.store.objects.values()}
    for uid in cluster.runtime.keys() - living:
        del cluster.runtime[uid]
    cluster.forgotten_version = cluster.store.version


class _Step:
    """One pod, one tick."""

    def __init__(self, cluster: Cluster, pod: Object, life: Life) -> None:
        self.cluster, self.pod, self.life = cluster, clone(pod), life
        self.now_s = cluster.clock.now_s()
        self.spec = self.pod["spec"]
        self.container = self.spec["containers"][0]

    def run(self) -> None:
        if self.pod["metadata"].get("deletionTimestamp"):
            if self._leave():
                return
        else:
            getattr(self, f"_{self.life['stage']}")()
        self.pod["status"] = podstatus.draw(self.cluster, self.pod, self.life)
        self.cluster.store.update(PODS, self.pod)

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        about, name = (PODS, self.pod), self.container["name"]
        events.record(self.cluster, about, reason, message, component="kubelet", warning=warning, container=name)

    def _ailment(self, *kinds: str) -> Any:
        return self.cluster.faults.of_pod(self.pod, *kinds)

    # scheduling

    def _seen(self) -> None:
        obstacle, node = scheduler.place(self.cluster, self.pod)
        if node is None:
            if self.life.get("unschedulable") != obstacle:
                events.record_scheduling(self.cluster, (PODS, self.pod), "FailedScheduling", obstacle)
            self.life["unschedulable"] = obstacle
            return
        self.life.pop("unschedulable", None)
        self.spec["nodeName"] = node["metadata"]["name"]
        nodes.pin(self.cluster, self.pod, self.spec["nodeName"])
        self.life |= {"stage": "scheduled", "scheduled_at_s": self.now_s}
        meta = self.pod["metadata"]
        message = f"Successfully assigned {meta['namespace']}/{meta['name']} to {self.spec['nodeName']}"
        events.record_scheduling(self.cluster, (PODS, self.pod), "Scheduled", message)

    # starting

    def _scheduled(self) -> None:
        """The node has taken the pod over."""
        self.life |= {"stage": "creating", "started_at": self.cluster.clock.stamp()}
        self.life["state"] = {"waiting": {"reason": "ContainerCreating"}}

    def _creating(self) -> None:
        slow = self._ailment("slow-start")
        extra_s = (slow.seconds or 60.0) if slow else 0.0
        if self.now_s < self.life["scheduled_at_s"] + self.cluster.start_s * 0.6 + self.life["late_s"] + extra_s:
            return
        if self._missing_volume_source():
            return
        if self._ailment("initializing"):
            self.life |= {"state": {"waiting": {"reason": "PodInitializing"}}, "sandbox_ready": True}
            return
        self._start()

    def _missing_volume_source(self) -> bool:
        namespace = self.pod["metadata"]["namespace"]
        for volume in self.spec.get("volumes", []):
            for kind, key, resource in (
                ("secret", "secretName", SECRETS),
                ("configMap", "name", CONFIG_MAPS),
            ):
                source = volume.get(kind) or {}
                name = source.get(key)
                if name and not source.get("optional") and not self.cluster.store.get(resource, namespace, name):
                    word = "secret" if kind == "secret" else "configmap"
                    message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {word} "{name}" not found'
                    self._tell("FailedMount", message, warning=True)
                    return True
        return False

    def _start(self) -> None:
        """Pulls, configures, runs; or waits with the reason that a node would give."""
        self.life["sandbox_ready"] = True
        for check in (self._image_problem, self._config_problem):
            waiting = check()
            if waiting:
                self.life |= {
                    "stage": "waiting",
                    "state": {"waiting": waiting},
                    "retry_at_s": self.now_s + PULL_RETRY_S,
                }
                return
        image = self.container["image"]
        self._tell("Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod')
        self._tell("Created", "Container created")
        if self._ailment("command-missing"):
            self._fail_to_run()
        else:
            self._run()

    def _image_problem(self) -> dict[str, str]:
        image = self.container["image"]
        if self._ailment("image-name-invalid") or not _is_image_name(image):
            problem = f'couldn\'t parse image name "{image}": invalid reference format'
            message = f'Failed to apply default image tag "{image}": {problem}'
            self._tell("InspectFailed", message, warning=True)
            return {"reason": "InvalidImageName", "message": message}
        if self._ailment("image-not-found"):
            return self._pull_failure(image, f"{image}: not found", "rpc error: code = NotFound desc = ")
        if self._ailment("image-denied"):
            why = "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized"
            return self._pull_failure(image, why, "")
        return {}

    def _pull_failure(self, image: str, why: str, prefix: str) -> dict[str, str]:
        """ErrImagePull and ImagePullBackOff take turns."""
        full = f'{prefix}failed to pull and unpack image "{image}": failed to resolve reference "{image}": {why}'
        if self.life["state"].get("waiting", {}).get("reason") == "ErrImagePull":
            self._tell("BackOff", f'Back-off pulling image "{image}"')
            self._tell("Failed", "Error: ImagePullBackOff", warning=True)
            message = f'Back-off pulling image "{image}": ErrImagePull: {full}'
            return {"reason": "ImagePullBackOff", "message": message}
        self._tell("Pulling", f'Pulling image "{image}"')
        self._tell("Failed", f'Failed to pull image "{image}": {full}', warning=True)
        self._tell("Failed", "Error: ErrImagePull", warning=True)
        return {"reason": "ErrImagePull", "message": full}

    def _config_problem(self) -> dict[str, str]:
        missing = 'secret "not-there" not found' if self._ailment("config-missing") else self._missing_reference()
        if not missing:
            return {}
        self._tell("Failed", f"Error: {missing}", warning=True)
        return {"reason": "CreateContainerConfigError", "message": missing}

    def _missing_reference(self) -> str:
        sources = [*self.container.get("envFrom", [])]
        sources += [item.get("valueFrom") or {} for item in self.container.get("env", [])]
        kinds = {
            "secretRef": SECRETS,
            "secretKeyRef": SECRETS,
            "configMapRef": CONFIG_MAPS,
            "configMapKeyRef": CONFIG_MAPS,
        }
        for source in sources:
            for field, resource in kinds.items():
                problem = self._reference_problem(source.get(field), resource)
                if problem:
                    return problem
        return ""

    def _reference_problem(self, reference: dict[str, Any] | None, resource: Any) -> str:
        if not reference or reference.get("optional"):
            return ""
        word, name = resource.kind.lower(), reference.get("name", "")
        found = self.cluster.store.get(resource, self.pod["metadata"]["namespace"], name)
        if found is None:
            return f'{word} "{name}" not found'
        key = reference.get("key")
        namespace = self.pod["metadata"]["namespace"]
        return (
            f"couldn't find key {key} in {resource.kind} {namespace}/{name}"
            if key and key not in found.get("data", {})
            else ""
        )

    def _waiting(self) -> None:
        reason = self.life["state"]["waiting"]["reason"]
        if self.now_s >= self.life["retry_at_s"] or reason == "RunContainerError":
            self._start()

    def _fail_to_run(self) -> None:
        command = (self.container.get("command") or ["/bin/missing"])[0]
        why = (
            f'unable to start container process: exec: "{command}": stat {command}: no such file or directory: unknown'
        )
        message = (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
        )
        message += f"failed: {why}"
        self._tell("Failed", f"Error: {message}", warning=True)
        if self.life["state"].get("waiting", {}).get("reason") == "RunContainerError":
            self._back_off()
            return
        state = {"waiting": {"reason": "RunContainerError", "message": message}}
        self.life |= {"stage": "waiting", "state": state, "phase": "Running", "retry_at_s": self.now_s}
        times = {"startedAt": self.cluster.clock.stamp(), "finishedAt": self.cluster.clock.stamp()}
        end = {"exitCode": 128, "reason": "StartError", "message": message} | times
        self.life["last"] = {"terminated": end | {"containerID": podstatus.container_id(self.pod, self.life)}}
        self.life["restarts"] = max(1, self.life["restarts"])

    # running

    def _run(self) -> None:
        self._tell("Started", "Container started")
        state = {"running": {"startedAt": self.cluster.clock.stamp()}}
        self.life |= {"stage": "running", "state": state, "phase": "Running", "run_at_s": self.now_s}
        logs.start(self.cluster, self.pod, self.life)
        self._look_at_readiness()

    def _running(self) -> None:
        crash = self._ailment(*CRASHES)
        if crash and self.now_s >= self.life["run_at_s"] + CRASH_AFTER_S:
            self._die(crash.kind)
        else:
            self._look_at_readiness()

    def _look_at_readiness(self) -> None:
        probe = self.container.get("readinessProbe")
        if self._ailment("never-ready") or (probe and self._ailment(*CRASHES)):
            self.life["ready"] = False
            self._tell_unready(probe or {})
        elif not self.life["ready"]:
            wait_s = self.cluster.start_s * 0.4 if probe else 0.0
            self.life["ready"] = self.now_s >= self.life["run_at_s"] + wait_s

    def _tell_unready(self, probe: dict[str, Any]) -> None:
        due_s = self.life.get("probe_at_s", self.life["run_at_s"] + probe.get("periodSeconds", 10))
        if self.now_s < due_s:
            return
        self.life["probe_at_s"] = self.now_s + probe.get("periodSeconds", 10)
        address = f"{podstatus.pod_ip(self.pod)}:{self._port()}"
        path = probe.get("httpGet", {}).get("path", "/")
        dial = f"dial tcp {address}: connect: connection refused"
        self._tell("Unhealthy", f'Readiness probe failed: Get "http://{address}{path}": {dial}', warning=True)

    def _port(self) -> int:
        return next((port["containerPort"] for port in self.container.get("ports", [])), 80)

    def _die(self, kind: str) -> None:
        code, reason = {
            "crash-loop": (1, "Error"),
            "oom-killed": (137, "OOMKilled"),
            "liveness": (137, "Error"),
        }[kind]
        if kind == "liveness":
            self._tell("Unhealthy", "Liveness probe failed: ", warning=True)
            self._tell("Killing", f"Container {self.container['name']} failed liveness probe, will be restarted")
        started = self.life["state"]["running"]["startedAt"]
        end = {
            "exitCode": code,
            "reason": reason,
            "startedAt": started,
            "finishedAt": self.cluster.clock.stamp(),
        }
        end["containerID"] = podstatus.container_id(self.pod, self.life)
        logs.end(self.life)
        self.life |= {"stage": "terminated", "ready": False, "state": {"terminated": end}}
        if kind != "crash-loop" and self.life["restarts"] < 3:
            self._restart()  # so quickly that the terminated state is never seen

    def _terminated(self) -> None:
        """The first restart comes at once, later ones after a growing pause."""
        if self.spec.get("restartPolicy") == "Never":
            return
        if self.life["restarts"] == 0:
            self._restart()
        else:
            self._back_off()

    def _restart(self) -> None:
        if "terminated" in self.life["state"]:
            self.life["last"] = {"terminated": self.life["state"]["terminated"]}
        self.life["restarts"] += 1
        self._start()

    def _back_off(self) -> None:
        if "terminated" in self.life["state"]:
            self.life["last"] = {"terminated": self.life["state"]["terminated"]}
        pause_s = min(10 * 2 ** max(0, self.life["restarts"] - 1), BACKOFF_MAX_S)
        meta, name = self.pod["metadata"], self.container["name"]
        who = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        message = f"back-off {pause_s}s restarting failed container={name} pod={who}"
        self._tell("BackOff", f"Back-off restarting failed container {name} in pod {who}", warning=True)
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self.life |= {"stage": "backoff", "ready": False, "state": state, "retry_at_s": self.now_s + pause_s}

    def _backoff(self) -> None:
        if self.now_s >= self.life["retry_at_s"]:
            self._restart()

    # leaving

    def _leave(self) -> bool:
        """Running, then Failed (exit 137), then gone. True when the pod is gone."""
        if self.life["stage"] == "stopped" and self.now_s < self.life["gone_at_s"]:
            return False
        if self.life["stage"] == "stopped":
            if self.pod["metadata"]["deletionGracePeriodSeconds"] > 0:
                self.pod["metadata"]["deletionGracePeriodSeconds"] = 0
                return False
            self.cluster.store.remove(PODS, self.pod)
            return True
        if self.life["stage"] != "stopping":
            is_running = "running" in self.life["state"]
            grace_s = min(self.pod["metadata"]["deletionGracePeriodSeconds"], 1) if is_running else 0
            stop_s = grace_s + self.cluster.stop_s if is_running else 0
            self._tell("Killing", f"Stopping container {self.container['name']}")
            self.life |= {"stage": "stopping", "stop_at_s": self.now_s + stop_s}
        elif self.now_s >= self.life["stop_at_s"]:
            self._stop()
        return False

    def _stop(self) -> None:
        if "running" in self.life["state"]:
            started, now = self.life["state"]["running"]["startedAt"], self.cluster.clock.stamp()
            end = {"exitCode": 137, "reason": "Error", "startedAt": started, "finishedAt": now}
            end["containerID"] = podstatus.container_id(self.pod, self.life)
            self.life["state"] = {"terminated": end}
        gone_at_s = self.now_s + LINGER_S
        self.life |= {"stage": "stopped", "ready": False, "phase": "Failed", "gone_at_s": gone_at_s}


def _is_image_name(image: str) -> bool:
    host = r"(?:[A-Za-z0-9][-A-Za-z0-9.]*(?::\d+)?/)?"
    part = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
    return (
        re.fullmatch(rf"{host}{part}(?:/{part})*(?::[\w][\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?", image)
        is not None
    )
