"""Field paths: what `metadata.managedFields` is made of.

A field set is a set of tuples of path elements, written as the server writes them: `f:name` for a field, `k:{…}` for a
list item found by its key, `v:…` for a member of a set. Lists and maps not named here are atomic: one owner for all.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .cloning import clone

Path = tuple[str, ...]
FieldSet = set[Path]

_KEYED = {
    "containers": ["name"], "initContainers": ["name"], "env": ["name"], "volumes": ["name"],
    "imagePullSecrets": ["name"], "volumeMounts": ["mountPath"], "conditions": ["type"], "ownerReferences": ["uid"],
    "hostAliases": ["ip"], "topologySpreadConstraints": ["topologyKey", "whenUnsatisfiable"], "podIPs": ["ip"],
}  # fmt: skip
_SETS = {"finalizers"}
_ATOMIC_MAPS = {
    "selector", "podSelector", "namespaceSelector", "labelSelector", "nodeSelector", "secretKeyRef",
    "configMapKeyRef", "fieldRef", "resourceFieldRef",
}  # fmt: skip
_NOT_OWNED = {("f:metadata", f"f:{name}") for name in ("name", "namespace", "uid", "resourceVersion")} | {
    ("f:metadata", f"f:{name}")
    for name in (
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    )
}


def list_keys(name: str, parent: str) -> list[str]:
    """The keys that tell the items of a list apart; empty when the list is a set or atomic."""
    if name == "ports":
        if "ontainers" in parent:
            return ["containerPort", "protocol"]
        is_service = re.fullmatch(r"f:(/f:)?spec(/f:ports)?", parent) is not None
        return ["port", "protocol"] if is_service else []
    return _KEYED.get(name, [])


def item_key(item: dict[str, Any], keys: list[str]) -> str:
    defaults = {"protocol": "TCP"}
    found = {key: item.get(key, defaults.get(key)) for key in keys}
    return "k:" + json.dumps(found, separators=(",", ":"))


def fields_of(obj: dict[str, Any]) -> FieldSet:
    """Every field an applied body speaks of, without the ones the server owns."""
    body = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    return {path for path in _walk(body, ()) if path[:2] not in _NOT_OWNED and path != ("f:metadata",)}


def _walk(value: Any, path: Path) -> FieldSet:
    name = path[-1][2:] if path else ""
    if isinstance(value, dict) and value and not _is_atomic_map(name, path):
        return {leaf for key, item in value.items() if item is not None for leaf in _walk(item, (*path, f"f:{key}"))}
    if isinstance(value, list) and value:
        return _walk_list(value, path, name)
    return {path} if path else set()


def _is_atomic_map(name: str, path: Path) -> bool:
    return name in _ATOMIC_MAPS and path[-1].startswith("f:") and path[0] != "f:data"


def _walk_list(value: list[Any], path: Path, name: str) -> FieldSet:
    if name in _SETS:
        return {(*path, "v:" + json.dumps(item)) for item in value}
    keys = list_keys(name, "/".join(path))
    if not keys:
        return {path}
    found: FieldSet = set()
    for item in value:
        here = (*path, item_key(item, keys))
        found |= {here} | {leaf for key, sub in item.items() for leaf in _walk(sub, (*here, f"f:{key}"))}
    return found


def to_fields_v1(paths: FieldSet) -> dict[str, Any]:
    """The nested form of a field set; a member that has children carries `.`."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _tidy(tree)


def _tidy(node: dict[str, Any]) -> dict[str, Any]:
    if set(node) == {"."}:
        return {}
    return {key: _tidy(child) for key, child in sorted(node.items())}


def from_fields_v1(tree: dict[str, Any], path: Path = ()) -> FieldSet:
    if not tree:
        return {path} if path else set()
    found: FieldSet = set()
    for key, child in tree.items():
        found |= {path} if key == "." else from_fields_v1(child, (*path, key))
    return found


def shown(path: Path) -> str:
    """As a conflict names a field: `.spec.template.spec.containers[name="n8n"].image`."""
    return "".join(_shown_element(element) for element in path)


def _shown_element(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "k:":
        return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(text).items()) + "]"
    return f"[={text}]" if kind == "v:" else f".{text}"


MISSING = object()


def value_at(obj: Any, path: Path) -> Any:
    """The value a path points at, or MISSING."""
    for element in path:
        obj = _child(obj, element)
        if obj is MISSING:
            return MISSING
    return obj


def _child(value: Any, element: str) -> Any:
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return value.get(text, MISSING) if isinstance(value, dict) else MISSING
    if not isinstance(value, list):
        return MISSING
    if kind == "v:":
        return json.loads(text) if json.loads(text) in value else MISSING
    return next((item for item in value if _has_key(item, element)), MISSING)


def _has_key(item: Any, element: str) -> bool:
    wanted = json.loads(element[2:])
    return isinstance(item, dict) and item_key(item, list(wanted)) == element


def remove_at(obj: Any, path: Path) -> None:
    """Takes a field or list item out, and the containers that this leaves empty."""
    parent = value_at(obj, path[:-1])
    if parent is MISSING or _child(parent, path[-1]) is MISSING:
        return
    if isinstance(parent, dict):
        del parent[path[-1][2:]]
    else:
        parent.remove(_child(parent, path[-1]))
    if not parent and len(path) > 1:
        remove_at(obj, path[:-1])


def merged(live: Any, applied: Any, path: Path = ()) -> Any:
    """`applied` laid over `live`: maps and keyed lists field by field, everything else replaced."""
    name = path[-1][2:] if path else ""
    if isinstance(live, dict) and isinstance(applied, dict) and not _is_atomic_map(name, path or ("f:",)):
        result = dict(live)
        for key, value in applied.items():
            if value is not None:
                result[key] = merged(live.get(key), value, (*path, f"f:{key}"))
        return result
    keys = list_keys(name, "/".join(path))
    if isinstance(live, list) and isinstance(applied, list) and (keys or name in _SETS):
        return _merged_list(live, applied, path, keys)
    return clone(applied)


def _merged_list(live: list[Any], applied: list[Any], path: Path, keys: list[str]) -> list[Any]:
    """The applied order decides; items that only the live list has keep to the end."""
    if not keys:
        return [*applied, *(item for item in live if item not in applied)]
    existing = {item_key(item, keys): item for item in live}
    result = []
    for item in applied:
        key = item_key(item, keys)
        result.append(merged(existing.pop(key, {}), item, (*path, key)))
    return [*result, *existing.values()]


def changed_fields(old: Any, new: Any, path: Path = ()) -> FieldSet:
    """Fields that are new or different in `new`; a map that was not there counts itself."""
    if old == new:
        return set()
    name = path[-1][2:] if path else ""
    if isinstance(new, dict) and new and not _is_atomic_map(name, path or ("f:",)):
        base = old if isinstance(old, dict) else {}
        own = {path} if old is None and path else set()
        children = (changed_fields(base.get(key), value, (*path, f"f:{key}")) for key, value in new.items())
        return own.union(*children)
    keys = list_keys(name, "/".join(path))
    if isinstance(new, list) and keys:
        return _changed_items(old or [], new, path, keys)
    return {path}


def _changed_items(old: list[Any], new: list[Any], path: Path, keys: list[str]) -> FieldSet:
    before = {item_key(item, keys): item for item in old}
    found: FieldSet = set()
    for item in new:
        key = item_key(item, keys)
        here = (*path, key)
        found |= {here} if key not in before else set()
        for name, value in item.items():
            found |= changed_fields(before.get(key, {}).get(name), value, (*here, f"f:{name}"))
    return found
