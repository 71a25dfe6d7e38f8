"""Pod logs: a few lines that the stand-in writes itself, or the text a test has put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import faults as fault_table
from .clock import stamp_nano
from .refusals import Refusal, bad_request, bad_value, invalid
from .store import Object

if TYPE_CHECKING:
    from .cluster import Cluster

Life = dict[str, Any]
_LAST_WORDS = {
    "crash-loop": "starting {name}\nno database configured\n",
    "oom-killed": "loading\n",
    "liveness": "up\n",
    "never-ready": "starting {name}\nwaiting for the database\n",
}


def start(cluster: Cluster, pod: Object, life: Life) -> None:
    """The first lines of a new try; the ones before become `previous`."""
    if life.get("log_is_given"):
        return
    ailment = cluster.faults.of_pod(pod, *(kind for kind in fault_table.AILMENTS if kind in _LAST_WORDS))
    kept = life.setdefault("log", {})
    for container in pod["spec"]["containers"]:
        name = container["name"]
        port = next((item["containerPort"] for item in container.get("ports", [])), 80)
        text = f"starting {name}\n{name} ready on port {port}\n"
        if ailment is not None:
            text = ailment.log or _LAST_WORDS[ailment.kind].format(name=name)
        old = kept.get(name, {}).get("now")
        kept[name] = {"now": text, "before": old, "at_s": cluster.clock.now_s()}


def end(life: Life) -> None:
    """A finished try keeps its lines until the next one starts."""
    life["log_ended"] = True


def put(life: Life, container: str, text: str, previous: str | None, at_s: float) -> None:
    """Text for a test to read back; the stand-in writes nothing more into this pod's log."""
    life["log_is_given"] = True
    life.setdefault("log", {})[container] = {"now": text, "before": previous, "at_s": at_s}


def read(cluster: Cluster, pod: Object, query: dict[str, str]) -> str | None:
    """The text of a log request; None is the 204 of a pod that is not scheduled yet."""
    options = _options(pod, query)
    name = _container_name(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return None
    life = cluster.runtime.get(pod["metadata"]["uid"], {})
    kept = life.get("log", {}).get(name)
    _refuse_waiting(pod, life, name, has_log=kept is not None)
    wants_previous = query.get("previous") == "true"
    text = ((kept or {}).get("before") if wants_previous else (kept or {}).get("now")) or ""
    if wants_previous and not text:
        who = f'container "{name}" in pod "{pod["metadata"]["name"]}"'
        raise bad_request(f"previous terminated {who} not found")
    return _cut(text, options, (kept or {}).get("at_s", 0.0), query)


def _options(pod: Object, query: dict[str, str]) -> dict[str, int]:
    options, causes = {}, []
    for key, least, why in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
        ("limitBytes", 1, "must be greater than 0"),
    ):
        if key in query:
            options[key] = int(query[key])
            if options[key] < least:
                causes.append(bad_value(key, options[key], why))
    if causes:
        raise invalid("PodLogOptions", "", pod["metadata"]["name"], causes)
    return options


def _container_name(pod: Object, asked: str) -> str:
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    names = [container["name"] for container in spec["containers"]]
    init_names = [container["name"] for container in spec.get("initContainers", [])]
    if asked:
        if asked not in names + init_names:
            raise bad_request(f"container {asked} is not valid for pod {pod_name}")
        return asked
    if len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(names)}]")
    return names[0]


def _refuse_waiting(pod: Object, life: Life, name: str, *, has_log: bool) -> None:
    is_init = any(container["name"] == name for container in pod["spec"].get("initContainers", []))
    reason = life.get("state", {}).get("waiting", {}).get("reason")
    if "state" in life and not life["state"]:
        reason = "ContainerCreating"
    if reason is None or is_init or (has_log and reason in ("CrashLoopBackOff", "RunContainerError")):
        return
    shown = "image can't be pulled" if reason in ("ErrImagePull", "ImagePullBackOff") else reason
    raise Refusal(
        400,
        "BadRequest",
        f'container "{name}" in pod "{pod["metadata"]["name"]}" is waiting to start: {shown}',
    )


def _cut(text: str, options: dict[str, int], at_s: float, query: dict[str, str]) -> str:
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)  # a line without its end is not shown
    if "tailLines" in options:
        lines = lines[len(lines) - options["tailLines"] :] if options["tailLines"] < len(lines) else lines
    if query.get("timestamps") == "true":
        lines = [f"{stamp_nano(at_s)} {line}" for line in lines]
    joined = "".join(lines)
    if "limitBytes" in options:
        joined = joined.encode()[: options["limitBytes"]].decode(errors="ignore")
    return joined
