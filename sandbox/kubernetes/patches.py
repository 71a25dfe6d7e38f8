"""The three ordinary patches: JSON merge, strategic merge, and JSON patch."""

from __future__ import annotations

from typing import Any

from .cloning import clone
from .fields import list_keys
from .refusals import Refusal, bad_request

_STRATEGIC_KEYS = {"taints": "key", "tolerations": ""}


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_patch(target: Any, patch: Any, path: tuple[str, ...] = ()) -> Any:
    """As a merge patch, but lists with a key are merged item by item; `$patch: delete` removes one."""
    if isinstance(patch, list) and isinstance(target, list):
        return _strategic_list(target, patch, path)
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif not key.startswith("$"):
            result[key] = strategic_patch(result.get(key), value, (*path, f"f:{key}"))
    return result


def _strategic_list(target: list[Any], patch: list[Any], path: tuple[str, ...]) -> list[Any]:
    name = path[-1][2:] if path else ""
    key = _STRATEGIC_KEYS.get(name) or next(iter(list_keys(name, "/".join(path))), "")
    if name == "finalizers":
        return [*target, *(item for item in patch if item not in target)]
    if not key:
        return clone(patch)
    result = list(target)
    for item in patch:
        found = next((i for i, old in enumerate(result) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item.get(key)]
        elif found is None:
            result.append(clone(item))
        else:
            result[found] = strategic_patch(result[found], item, (*path, "k:"))
    return result


def json_patch(target: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902, as lenient as the server: `replace` of a missing key adds it. A failed test is 422."""
    result = clone(target)
    for operation in operations:
        _apply_operation(result, operation)
    return result


def _apply_operation(result: Any, operation: dict[str, Any]) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    node = result
    for part in parents:
        try:
            node = node[int(part)] if isinstance(node, list) else node[part]
        except (KeyError, IndexError, ValueError):
            raise _rejected() from None
    if operation["op"] in ("add", "replace"):
        _put(node, last, operation.get("value"), insert=operation["op"] == "add")
    elif operation["op"] == "remove":
        _take(node, last)
    elif operation["op"] == "test":
        if _read(node, last) != operation.get("value"):
            raise _rejected()
    else:
        raise bad_request(f"unexpected kind: {operation['op']}")


def _put(node: Any, last: str, value: Any, *, insert: bool) -> None:
    if isinstance(node, dict):
        node[last] = value
    elif insert:
        node.insert(len(node) if last == "-" else int(last), value)
    else:
        node[int(last)] = value


def _take(node: Any, last: str) -> None:
    try:
        del node[int(last) if isinstance(node, list) else last]
    except (KeyError, IndexError):
        raise _rejected() from None


def _read(node: Any, last: str) -> Any:
    return node.get(last) if isinstance(node, dict) else node[int(last)]


def _rejected() -> Refusal:
    message = "the server rejected our request due to an error in our request"
    return Refusal(422, "Invalid", message, details={})
