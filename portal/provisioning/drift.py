"""Is an object still as we want it? Pure: our manifest and the cluster's object in, the first difference out.

Only the fields of our manifest count: what others or the server added beside them is theirs, and an apply would not
take it away. The server writes back what it was given in its own way, so quantities are compared as amounts, what it
leaves out when empty may be missing, and the entries of lists that it keeps by a key are found by that key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from portal.provisioning import quantities
from portal.provisioning.listing import Key, Live, key_of

QUANTITIES = {"requests", "limits", "hard", "default", "defaultRequest"}
"""Fields whose values are quantities, where they are objects (a LimitRange's `limits` is a list)."""

KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
}
"""Lists that the server merges by a key. Source: x-kubernetes-list-map-keys of the API's own schema."""

DATA_KINDS = ("PersistentVolumeClaim", "Namespace")
"""What holds data, or goes with data in it: never made anew without a person's decision."""

Manifest = dict[str, Any]


class Drift(StrEnum):
    MISSING = "MISSING"  # wanted, but not in the cluster
    CHANGED = "CHANGED"  # there, but not as wanted
    ORPHAN = "ORPHAN"  # labelled as ours, of an instance that is gone or unknown


@dataclass(frozen=True)
class Difference:
    """One object that is not as wanted; `at_risk` when it is data that is gone, or going."""

    kind: Drift
    key: Key
    detail: str = ""
    at_risk: bool = False


def compare(manifests: list[Manifest], live: Live) -> Iterator[Difference]:
    """What the cluster lacks or has otherwise. Secrets cannot be read; they are only ever applied again."""
    for manifest in manifests:
        if manifest["kind"] == "Secret":
            continue
        difference = _compare_one(manifest, live)
        if difference is not None:
            yield difference


def _compare_one(manifest: Manifest, live: Live) -> Difference | None:
    key, holds_data = key_of(manifest), manifest["kind"] in DATA_KINDS
    found = live.get(key)
    if found is None:
        return Difference(Drift.MISSING, key, at_risk=holds_data)
    if found.leaving:  # what holds no data is missing next time, and made anew then
        return Difference(Drift.CHANGED, key, "is being deleted", at_risk=True) if holds_data else None
    detail = difference(manifest, found.body)
    return Difference(Drift.CHANGED, key, detail) if detail else None


def difference(wanted: Manifest, has: Manifest) -> str:
    """The first field that differs, as `spec.replicas: 0 instead of 1`; empty when nothing does."""
    if wanted["kind"] == "PersistentVolumeClaim":
        return _claim_difference(wanted, has)
    ours = {name: value for name, value in wanted.items() if name not in ("apiVersion", "kind")}
    return next(_differences("", ours, has), "")


def _claim_difference(wanted: Manifest, has: Manifest) -> str:
    """A volume may be larger than sold: one grown for a change that was taken back stays so. And its class is fixed
    once it is made, whatever the operator wants for new ones."""
    ours, theirs = (one["spec"]["resources"]["requests"]["storage"] for one in (wanted, has))
    if quantities.parse(theirs) < quantities.parse(ours):
        return f"spec.resources.requests.storage: {theirs} instead of {ours}"
    return next(_differences("metadata", {"labels": wanted["metadata"]["labels"]}, has["metadata"]), "")


def _differences(path: str, wanted: Any, has: Any) -> Iterator[str]:
    if _is_empty(wanted) and _is_empty(has):
        return
    if isinstance(wanted, dict) and isinstance(has, dict):
        yield from _in_object(path, wanted, has)
    elif isinstance(wanted, list) and isinstance(has, list):
        yield from _in_list(path, wanted, has)
    elif wanted != has or isinstance(wanted, bool) is not isinstance(has, bool):
        yield f"{path}: {_shown(path, has)} instead of {_shown(path, wanted)}"


def _in_object(path: str, wanted: Manifest, has: Manifest) -> Iterator[str]:
    for name, value in wanted.items():
        here = f"{path}.{name}" if path else name
        if name in QUANTITIES and isinstance(value, dict):
            yield from _in_quantities(here, value, has.get(name) or {})
        else:
            yield from _differences(here, value, has.get(name))


def _in_quantities(path: str, wanted: Manifest, has: Manifest) -> Iterator[str]:
    for name, value in wanted.items():
        theirs = has.get(name)
        if theirs is None or quantities.parse(theirs) != quantities.parse(value):
            yield f"{path}.{name}: {theirs or 'nothing'} instead of {value}"


def _in_list(path: str, wanted: list[Any], has: list[Any]) -> Iterator[str]:
    keys = _keys(path.rpartition(".")[2], wanted)
    if keys:
        theirs = {_key(one, keys): one for one in has}
        for one in wanted:
            yield from _differences(f"{path}[{one.get(keys[0])}]", one, theirs.get(_key(one, keys)))
    elif len(wanted) != len(has):
        yield f"{path}: {len(has)} entries instead of {len(wanted)}"
    else:
        for index, (one, other) in enumerate(zip(wanted, has, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)


def _keys(field: str, wanted: list[Any]) -> tuple[str, ...]:
    """By which fields the entries are found; none when the list is one value. `ports` is both: a container's and a
    Service's are kept by key, a NetworkPolicy's are not."""
    if field == "ports" and wanted and isinstance(wanted[0], dict):
        if "containerPort" in wanted[0]:
            return ("containerPort", "protocol")
        return ("port", "protocol") if "targetPort" in wanted[0] else ()
    return KEYS.get(field, ())


def _key(entry: Manifest, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(entry.get(name, "TCP" if name == "protocol" else None) for name in keys)


def _is_empty(value: Any) -> bool:
    """What the server leaves out. Not False and not 0: those stand where we write them."""
    return value is None or value in ("", [], {})


def _shown(path: str, value: Any) -> str:
    """Short, and without what an app was configured with: that may be the customer's business."""
    if value is None:
        return "nothing"
    return "another value" if path.startswith("data.") else str(value)[:80]
