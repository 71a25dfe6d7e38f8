"""Which fields exist and of which type, read from the official client's own models.

The real server answers an applied unknown field, a wrong type or a duplicate list key with a bare HTTP 500, and the
same by POST with a 400 or a Warning; both are kept, because a blind retry on 5xx would repeat such a mistake for ever.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import cache
from typing import Any

from . import quantities
from .fields import list_keys
from .kinds import Resource
from .refusals import Refusal, bad_request

QUANTITY_MAPS = {"limits", "requests", "hard", "used", "capacity", "allocatable", "max", "min"} | {
    "default", "defaultRequest", "maxLimitRequestRatio",
}  # fmt: skip
_MODELS = {"Event": "CoreV1Event"}


class Findings:
    """What is wrong with a body: fields that do not exist, and values of the wrong type."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.wrong: list[tuple[str, str, str]] = []  # path, what an apply says, what a POST says
        self.quantity = ""


def check_applied(resource: Resource, body: dict[str, Any]) -> None:
    """Refuses an applied body as the server does: 500, no reason."""
    found = _inspect(resource, body)
    meta = body.get("metadata") or {}
    subject = f"({meta.get('namespace', '')}/{meta.get('name', '')}; {resource.gvk})"
    errors = [f"{path}: field not declared in schema" for path in found.unknown]
    errors += [f"{path}: {text}".replace(": : ", ": ") for path, text, _ in found.wrong]
    if errors:
        text = errors[0] if len(errors) == 1 else "errors:\n  " + "\n  ".join(errors)
        raise Refusal(500, None, f"failed to create typed patch object {subject}: {text}")
    problem = found.quantity or _broken_base64(resource, body)
    if problem:
        unable = f"unable to convert unstructured object to {resource.gvk}: {problem}"
        raise Refusal(500, None, f"failed to convert new object {subject} to proper version: {unable}")


def check_posted(resource: Resource, body: dict[str, Any], validation: str) -> list[str]:
    """Refuses a posted body with 400, or drops unknown fields and returns a warning for each."""
    found = _inspect(resource, body)
    intro = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    problem = next((text for _, _, text in found.wrong if text), "") or found.quantity
    problem = problem or _broken_base64(resource, body)
    if problem:
        raise bad_request(intro + problem)
    names = [path.lstrip(".") for path in found.unknown]
    if names and validation == "Strict":
        raise bad_request(intro + "strict decoding error: " + ", ".join(f'unknown field "{name}"' for name in names))
    for path in found.unknown:
        _drop(body, path)
    return [f'unknown field "{name}"' for name in names]


def _inspect(resource: Resource, body: dict[str, Any]) -> Findings:
    found = Findings()
    model = _MODELS.get(resource.kind, f"V1{resource.kind}")
    _check_model({key: value for key, value in body.items() if key != "status"}, model, "", found)
    return found


@cache
def _fields_of(model: str) -> dict[str, str]:
    """JSON names to type names of one model."""
    from kubernetes import client  # the import costs half a second and is only needed here

    cls = getattr(client, model)
    return {json_name: cls.openapi_types[name] for name, json_name in cls.attribute_map.items()}


def _check_model(value: dict[str, Any], model: str, path: str, found: Findings) -> None:
    fields = _fields_of(model)
    for name, item in value.items():
        here = f"{path}.{name}"
        if name not in fields:
            found.unknown.append(here)
        elif item is not None:
            _check_value(item, fields[name], here, name, found)


def _check_value(value: Any, type_name: str, path: str, name: str, found: Findings) -> None:
    container = re.fullmatch(r"(List|Dict)\[(?:str, )?(.+)\]", type_name)
    if container and container[1] == "List":
        _check_list(value, container[2], path, name, found)
    elif container:
        _check_map(value, container[2], path, name, found)
    elif type_name in _SCALARS:
        _check_scalar(value, type_name, path, found)
    elif type_name not in ("object", "datetime", "bytes"):
        _check_struct(value, type_name, path, found)


def _check_struct(value: Any, type_name: str, path: str, found: Findings) -> None:
    if isinstance(value, dict):
        _check_model(value, type_name, path, found)
    else:
        found.wrong.append((path, f"expected map, got {_shown(value)}", f"json: cannot unmarshal at {path[1:]}"))


def _check_list(value: Any, item_type: str, path: str, name: str, found: Findings) -> None:
    if not isinstance(value, list):
        found.wrong.append((path, f"expected list, got {_shown(value)}", f"json: cannot unmarshal at {path[1:]}"))
        return
    keys = list_keys(name, "f:" + path.replace(".", "/f:"))
    seen: set[str] = set()
    for index, item in enumerate(value):
        label = _item_label(item, keys, index)
        if keys and label in seen:
            found.wrong.append((path, f"duplicate entries for key {label}", ""))
        seen.add(label)
        _check_value(item, item_type, path + label, name, found)


def _item_label(item: Any, keys: list[str], index: int) -> str:
    if not keys or not isinstance(item, dict):
        return f"[{index}]"
    defaults = {"protocol": "TCP"}
    return "[" + ",".join(f"{key}={json.dumps(item.get(key, defaults.get(key)))}" for key in keys) + "]"


def _check_map(value: Any, item_type: str, path: str, name: str, found: Findings) -> None:
    if not isinstance(value, dict):
        found.wrong.append((path, f"expected map, got {_shown(value)}", f"json: cannot unmarshal at {path[1:]}"))
        return
    for key, item in value.items():
        if name in QUANTITY_MAPS:
            _check_quantity(item, found)
        elif item is not None:
            _check_value(item, item_type, f"{path}.{key}", name, found)


def _check_quantity(value: Any, found: Findings) -> None:
    try:
        quantities.parse(value)
    except ValueError as error:
        found.quantity = str(error)


_SCALARS: dict[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
_APPLY_NAMES = {
    "str": "string",
    "int": "numeric (int or float)",
    "bool": "boolean",
    "float": "numeric (int or float)",
}
_GO_NAMES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64"}


def _check_scalar(value: Any, type_name: str, path: str, found: Findings) -> None:
    is_right = isinstance(value, _SCALARS[type_name]) and (type_name == "bool" or not isinstance(value, bool))
    if is_right or (type_name == "str" and path.rsplit(".", 1)[-1] in ("sizeLimit", "divisor")):
        return
    applied = f"expected {_APPLY_NAMES[type_name]}, got {_shown(value)}"
    go = f"json: cannot unmarshal {_json_type(value)} into Go struct field {_go_field(path)} of type "
    found.wrong.append((path, applied, go + _GO_NAMES[type_name]))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "map"
    if isinstance(value, list):
        return "list"
    return f"&value.valueUnstructured{{Value:{json.dumps(value)}}}"


def _json_type(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _go_field(path: str) -> str:
    return ("DeploymentSpec" + path) if path.startswith(".spec") else path[1:]


def _broken_base64(resource: Resource, body: dict[str, Any]) -> str:
    if resource.kind != "Secret":
        return ""
    for value in (body.get("data") or {}).values():
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError):
            valid = re.match(r"[A-Za-z0-9+/]*", value)
            return f"error decoding from json: illegal base64 data at input byte {valid.end() if valid else 0}"
    return ""


def _drop(body: dict[str, Any], path: str) -> None:
    *parents, last = re.findall(r"\[(\d+)\]|\.([^.\[]+)", path)
    target: Any = body
    for index, name in parents:
        target = target[int(index)] if index else target[name]
    if isinstance(target, dict):
        target.pop(last[1], None)
