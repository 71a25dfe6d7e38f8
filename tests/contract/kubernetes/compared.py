"""What is compared between a recorded answer and the stand-in's, written down once.

Compared: status code, `Warning` header, content type, and of the body everything the real server sent (kind,
metadata, spec with its defaults, status with its absent counters and the order of its conditions, reason, message,
`details.causes`), except what is listed here. A field that only one side has is a difference.
"""

from __future__ import annotations

import json
import re
from typing import Any

NOT_COMPARED = {
    "image": "of a containerStatus: the recorded node ran a stand-in image",
    "imageID": "as above",
    "containerID": "names a container that does not exist here",
    "allocatedResources": "of a running container: nothing reads it",
    "hostIP": "the node's address",
    "hostIPs": "the node's address",
    "podIP": "appears a moment earlier or later",
    "podIPs": "appears a moment earlier or later",
    "count": "how often a node looked",
    "series": "how often the scheduler looked",
    "kubectl.kubernetes.io/last-applied-configuration": "how the StorageClass was made",
    "lastHeartbeatTime": "a time",
}
ONLY_IN_STATUS = {"image", "resources", "volumeMounts"}
LOOSE_ENDS = ("@@ ",)  # from here on a message holds a diff of Go structs
CONTROLLERS = {"kube-controller-manager", "kubelet"}  # their own managedFields are not kept
PLACEHOLDER = re.compile(r"<([a-z0-9]+(?:-[a-z0-9]+)*)>")
_MANY = re.compile(r"<([\d,]+) characters>")
ANY_TIME = {"time", "time-micro", "time-nano", "pem"}
LEFT_OUT = ("(as before)", "(left out here)")


class Bindings(dict[str, str]):
    """What the placeholders of one recording stand for here."""

    def fill(self, value: Any) -> Any:
        """A recorded request with the placeholders replaced."""
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        value = _MANY.sub(lambda match: "x" * int(match[1].replace(",", "")), value)
        return PLACEHOLDER.sub(lambda match: self.get(match[1], match[0]), value)

    def match(self, recorded: str, actual: str) -> bool:
        """Whether a text with placeholders fits; learns the ones that are new."""
        pattern, names = self._pattern(recorded)
        found = re.fullmatch(pattern, actual, re.DOTALL)
        if found is None:
            return False
        for group, name in names.items():
            if name not in ANY_TIME:
                self[name] = found[group]
        return True

    def _pattern(self, recorded: str) -> tuple[str, dict[str, str]]:
        names: dict[str, str] = {}
        parts, end = [], 0
        for index, match in enumerate(PLACEHOLDER.finditer(recorded)):
            name = match[1]
            parts.append(re.escape(recorded[end : match.start()]))
            known = self.get(name)
            if known is not None:
                parts.append(re.escape(known))
            else:
                names[f"g{index}"] = name
                parts.append(f"(?P<g{index}>{_shape(name)})")
            end = match.end()
        return "".join([*parts, re.escape(recorded[end:])]), names


def _shape(name: str) -> str:
    if name.startswith(("hash", "suffix", "event")):
        return "[a-z0-9]+"
    return r"[^\"]+" if name.startswith(("uid", "cluster-ip", "pod-ip")) else ".*"


class Comparison:
    """One recorded body against one actual body; `differences` stays empty when they agree."""

    def __init__(self, bindings: Bindings) -> None:
        self.bindings = Bindings(bindings)
        self.differences: list[str] = []
        self.is_cut = False

    def compare(self, recorded: Any, actual: Any, path: str = "") -> None:
        if recorded in LEFT_OUT:
            return
        if isinstance(recorded, dict) and isinstance(actual, dict):
            self._compare_maps(recorded, actual, path)
        elif isinstance(recorded, list) and isinstance(actual, list):
            self._compare_lists(recorded, actual, path)
        elif isinstance(recorded, str) and isinstance(actual, str):
            if not self.bindings.match(_before_diff(recorded), _before_diff(actual)):
                self._differ(path, self.bindings.fill(recorded), actual)
        elif recorded != actual:
            self._differ(path, recorded, actual)

    def _differ(self, path: str, recorded: Any, actual: Any) -> None:
        self.differences.append(f"{path}: recorded {_short(recorded)}, here {_short(actual)}")

    def _compare_maps(self, recorded: dict[str, Any], actual: dict[str, Any], path: str) -> None:
        if path.endswith("metadata") and "managedFields" in recorded:
            self._compare_owners(recorded["managedFields"], actual.get("managedFields") or [], path)
        filled = {self.bindings.fill(key): value for key, value in recorded.items()}
        self.is_cut = self.is_cut or (path == "" and "kind" not in recorded and "metadata" in recorded)
        is_cut = self.is_cut or _is_cut(recorded, path)
        for key in sorted(filled.keys() | actual.keys()):
            here = f"{path}.{key}"
            if _is_ignored(key, here):
                continue
            if key not in actual and filled[key] == {} and key == "labels":
                continue  # a list cut down to names and labels
            if key not in actual:
                self._differ(here, filled[key], "nothing")
            elif key in filled:
                self.compare(filled[key], actual[key], here)
            elif not is_cut:
                self._differ(here, "nothing", actual[key])

    def _compare_lists(self, recorded: list[Any], actual: list[Any], path: str) -> None:
        if path == ".items":
            self._compare_items(recorded, actual)
            return
        if len(recorded) != len(actual):
            self._differ(path, recorded, actual)
            return
        for index, (one, other) in enumerate(zip(recorded, actual, strict=True)):
            self.compare(one, other, f"{path}[{index}]")

    def _compare_items(self, recorded: list[Any], actual: list[Any]) -> None:
        """Items in any order, as names are random; of events only that each recorded one is there."""
        is_events = any("involvedObject" in item or "regarding" in item for item in recorded)
        left = list(actual)
        for item in recorded:
            found = self._find(item, left)
            if found is None:
                self._explain(item, left)
                return
            if not is_events:
                left.remove(found)
        if left and not is_events:
            self._differ(".items", f"{len(recorded)} items", f"{len(actual)} items")

    def _explain(self, item: Any, left: list[Any]) -> None:
        trial = Comparison(self.bindings)
        trial.compare(item, left[0] if left else None, ".items[]")
        self._differ(".items", "", trial.differences or "an item too few")

    def _find(self, item: Any, candidates: list[Any]) -> Any:
        for candidate in candidates:
            trial = Comparison(self.bindings)
            trial.compare(item, candidate, ".items[]")
            if not trial.differences:
                self.bindings = trial.bindings
                return candidate
        return None

    def _compare_owners(self, recorded: list[Any], actual: list[Any], path: str) -> None:
        sides = [_owners(self.bindings.fill(side)) for side in (recorded, actual)]
        if sides[0] != sides[1]:
            self._differ(f"{path}.managedFields", sides[0], sides[1])


def _owners(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Who owns what, without the cluster's own controllers and the times."""
    return {
        f"{entry['manager']}/{entry['operation']}/{entry.get('subresource', '')}": entry["fieldsV1"]
        for entry in entries
        if entry["manager"] not in CONTROLLERS
    }


def _is_ignored(key: str, path: str) -> bool:
    if key == "managedFields" or (key == "resourceVersion" and not path.endswith(".metadata.resourceVersion")):
        return True
    if path == ".metadata.resourceVersion" or path.startswith(".items[].metadata.resourceVersion"):
        return True  # compared step by step in `replay`, where it says whether something was written
    if key in ONLY_IN_STATUS:
        return ".status" in path
    return key in NOT_COMPARED


def _is_cut(recorded: dict[str, Any], path: str) -> bool:
    """Recordings leave parts of long answers out; what is there is compared."""
    if path in ("", ".items[]") and "metadata" in recorded:
        return "kind" not in recorded or path == ".items[]"
    if path.endswith("metadata"):
        return "uid" not in recorded
    return path.endswith(".status") and set(recorded) in ({"phase"}, {"conditions"})


def _before_diff(text: str) -> str:
    for mark in LOOSE_ENDS:
        text = text.split(mark)[0]
    return text


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 400 else text[:400] + "…"
