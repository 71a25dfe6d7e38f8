"""The switches for trouble: broken answers, and pods that do not come up.

A request fault matches a request by method and path and spoils its answer, before the work is done or after it
(`after`: the write is applied and the answer is lost). An ailment matches pods by namespace, name, labels or image.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .refusals import bad_request
from .selectors import label_matcher
from .store import Object

REQUEST_FAULTS = {
    "error": "answer with `status` (default 500) instead of the real answer",
    "hang": "keep the client waiting for `seconds` (default 30), then drop the connection",
    "slow": "wait `seconds` (default 1), then answer as usual",
    "reset": "close the connection without an answer",
    "absent": "answer as if the API group were not installed: 404 in text",
}
AILMENTS = {
    "unschedulable": "a full cluster: the pod stays Pending",
    "image-not-found": "ErrImagePull and ImagePullBackOff in turns",
    "image-denied": "the registry refuses the pull; same reasons, another message",
    "image-name-invalid": "InvalidImageName, from the node",
    "crash-loop": "the process exits 1 after a second, again and again",
    "never-ready": "the process runs, the readiness probe never passes",
    "oom-killed": "OOMKilled, exit code 137, and restarted",
    "config-missing": "CreateContainerConfigError",
    "command-missing": "RunContainerError, exit code 128",
    "liveness": "the liveness probe fails, the container is restarted",
    "volume-missing": "a claim that is not found: unschedulable",
    "slow-start": "every start takes `seconds` (default 60) longer",
    "initializing": "the init container never ends",
    "disruption-budget": "an eviction is refused with 429, as by a PodDisruptionBudget",
    "claim-pending": "a PersistentVolumeClaim that is never bound (matches the claim's own name)",
    "claim-stuck": "a PersistentVolumeClaim that never becomes larger (matches the claim's own name)",
}


@dataclass
class Fault:
    """One switch. `remaining` counts requests, or pods for an ailment; None means until it is cleared."""

    kind: str
    id: int = 0
    method: str = ""
    path: str = ""
    after: bool = False
    status: int = 500
    seconds: float | None = None
    message: str = "the sandbox was told to fail"
    namespace: str = "*"
    name: str = "*"
    labels: str = ""
    image: str = "*"
    remaining: int | None = None
    log: str = ""
    pods: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in REQUEST_FAULTS and self.kind not in AILMENTS:
            raise bad_request(f"unknown fault {self.kind!r}; known: {', '.join([*REQUEST_FAULTS, *AILMENTS])}")
        re.compile(self.path), re.compile(self.method), label_matcher(self.labels)

    def matches_request(self, method: str, path: str) -> bool:
        if self.kind not in REQUEST_FAULTS or self.remaining == 0:
            return False
        is_method = not self.method or re.fullmatch(self.method, method, re.IGNORECASE) is not None
        return is_method and re.search(self.path, path) is not None

    def matches_object(self, obj: Object) -> bool:
        meta = obj["metadata"]
        images = [item.get("image", "") for item in obj.get("spec", {}).get("containers", [])] or [""]
        return (
            fnmatchcase(meta.get("namespace", ""), self.namespace)
            and (fnmatchcase(meta["name"], self.name) or fnmatchcase(meta["name"], self.name + "-*-*"))
            and any(fnmatchcase(image, self.image) for image in images)
            and label_matcher(self.labels)(obj)
        )


class Faults:
    """The list of switches. Not locked by itself."""

    def __init__(self) -> None:
        self.items: list[Fault] = []
        self._last_id = 0

    def add(self, kind: str, **options: Any) -> Fault:
        self._last_id += 1
        try:
            fault = Fault(kind, **options)
        except (TypeError, re.error) as error:
            raise bad_request(str(error)) from None
        fault.id = self._last_id
        self.items.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Removes one switch, or all of them; returns how many."""
        before = len(self.items)
        self.items = [fault for fault in self.items if fault_id is not None and fault.id != fault_id]
        return before - len(self.items)

    def for_request(self, method: str, path: str) -> Fault | None:
        """The first switch that matches, counted down."""
        found = next((fault for fault in self.items if fault.matches_request(method, path)), None)
        if found is not None and found.remaining is not None:
            found.remaining -= 1
        return found

    def of_pod(self, pod: Object, *kinds: str) -> Fault | None:
        """The ailment of these kinds that this pod (or claim) has; a counted one stays with the pods it took first."""
        uid = pod["metadata"]["uid"]
        for fault in self.items:
            if fault.kind not in kinds or not fault.matches_object(pod):
                continue
            if uid in fault.pods:
                return fault
            if fault.remaining is None or len(fault.pods) < fault.remaining:
                fault.pods.append(uid)
                return fault
        return None

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.items]

    def load(self, dumped: list[dict[str, Any]]) -> None:
        self.items = [Fault(**item) for item in dumped]
        self._last_id = max([fault.id for fault in self.items], default=0)
