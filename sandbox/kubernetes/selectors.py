"""Label and field selectors: parsed once, then asked of each object; what does not parse is a 400."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .kinds import Resource
from .refusals import bad_request

Matcher = Callable[[dict[str, Any]], bool]
_TOKENS = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")


def label_matcher(text: str) -> Matcher:
    """Labels of an object against `a=b,c in (d,e),!f`; `!=` and `notin` match objects that lack the label."""
    tokens = _TOKENS.findall(text)
    requirements: list[Callable[[dict[str, str]], bool]] = []
    while tokens:
        requirements.append(_requirement(tokens))
        if tokens and tokens[0] != ",":
            raise bad_request(f"found '{tokens[0]}', expected: ',' or 'end of string'")
        tokens[:1] = []
    return lambda obj: all(ask(obj["metadata"].get("labels") or {}) for ask in requirements)


def _requirement(tokens: list[str]) -> Callable[[dict[str, str]], bool]:
    absent = tokens[0] == "!"
    if absent:
        tokens.pop(0)
    if not tokens or re.fullmatch(r"==|!=|[=!(),<>]", tokens[0]):
        found = tokens[0] if tokens else ""
        raise bad_request(f"found '{found}', expected: !, identifier, or 'end of string'")
    key = tokens.pop(0)
    if key.startswith("/"):
        why = f'<nil>: Invalid value: "{key}": prefix part must be non-empty'
        raise bad_request(f"unable to parse requirement: {why}")
    if absent or not tokens or tokens[0] == ",":
        return lambda labels: (key in labels) != absent
    return _comparison(key, tokens)


def _comparison(key: str, tokens: list[str]) -> Callable[[dict[str, str]], bool]:
    operator = tokens.pop(0)
    if operator not in _OPERATORS:
        expected = ", ".join(_OPERATORS)
        raise bad_request(f"unable to parse requirement: found '{operator}', expected: {expected}")
    values = _value_set(tokens) if operator in ("in", "notin") else {_single_value(tokens)}
    wanted = operator in ("in", "=", "==")
    return lambda labels: (labels.get(key) in values) == wanted if key in labels else not wanted


def _single_value(tokens: list[str]) -> str:
    return "" if not tokens or tokens[0] == "," else tokens.pop(0)


def _value_set(tokens: list[str]) -> set[str]:
    if not tokens or tokens[0] != "(":
        raise bad_request(f"unable to parse requirement: found '{tokens[0] if tokens else ''}' expected: '('")
    tokens.pop(0)
    values = set()
    while tokens and tokens[0] != ")":
        values.add(tokens.pop(0))
        if tokens and tokens[0] == ",":
            tokens.pop(0)
    tokens[:1] = []
    return values


_ALWAYS = {"metadata.name", "metadata.namespace"}
_KNOWN = {
    "pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    },
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "secrets": {"type"},
}
_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_FIELDS = {"reason", "type", "reportingComponent", "source"} | {f"involvedObject.{name}" for name in _ABOUT}
_NEW_EVENT_FIELDS = {"reason", "type", "reportingController"} | {f"regarding.{name}" for name in _ABOUT}


def field_matcher(text: str, resource: Resource) -> Matcher:
    """Fields of an object against `a.b=c,d!=e`; only the few fields that the real server knows."""
    requirements = [_field_requirement(part, text, resource) for part in text.split(",") if part]
    return lambda obj: all((_field(obj, path) == value) == equal for path, value, equal in requirements)


def _field_requirement(part: str, whole: str, resource: Resource) -> tuple[str, str, bool]:
    match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part)
    if match is None:
        raise bad_request(f"invalid selector: '{whole}'; can't understand '{part}'")
    path, operator, value = match.groups()
    if resource.plural == "events":
        known = (_EVENT_FIELDS if not resource.group else _NEW_EVENT_FIELDS) | _ALWAYS
        if path not in known:
            raise bad_request(f"field label not supported: {path}")
    elif path not in _KNOWN.get(resource.key, set()) | _ALWAYS:
        _refuse_field(path, resource)
    return path, value, operator != "!="


def _refuse_field(path: str, resource: Resource) -> None:
    if resource.key in _KNOWN:
        raise bad_request(f"field label not supported: {path}")
    only = ", ".join(f'"{name}"' for name in sorted(_ALWAYS))
    raise bad_request(f'"{path}" is not a known field selector: only {only}')


def _field(obj: dict[str, Any], path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = (value or {}).get(part)
    return str(value).lower() if isinstance(value, bool) else str(value or "")
