"""Every answer that says no: one exception that carries a Kubernetes `Status` body, and one maker per reason."""

from __future__ import annotations

from typing import Any

from .kinds import Resource


class Refusal(Exception):
    """Ends a request with `code` and a Status body. `reason` is None for the 500s that a caller's mistake earns."""

    def __init__(
        self,
        code: int,
        reason: str | None,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.metadata, self.headers = details, metadata or {}, headers or {}

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata}
        status |= {"status": "Failure", "message": self.message}
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def named(resource: Resource, name: str = "") -> dict[str, Any]:
    """The `details` of a refusal about one object, or about the whole kind when the name is empty."""
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def not_found(resource: Resource, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{resource.qualified} "{name}" not found', details=named(resource, name))


def no_such_address() -> Refusal:
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> Refusal:
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message, details={})


def already_exists(resource: Resource, name: str) -> Refusal:
    message = f'{resource.qualified} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, details=named(resource, name))


def stale(resource: Resource, name: str, why: str = "") -> Refusal:
    """409 without causes: the caller's resourceVersion or uid is not the one in record."""
    default = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why or default}'
    return Refusal(409, "Conflict", message, details=named(resource, name))


def forbidden(resource: Resource, name: str, why: str, causes: list[dict[str, str]] | None = None) -> Refusal:
    details = named(resource, name)
    if causes:
        details["causes"] = causes
    subject = f'{resource.qualified} "{name}"' if name is not None else resource.qualified
    return Refusal(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def expired(message: str, metadata: dict[str, Any] | None = None) -> Refusal:
    return Refusal(410, "Expired", message, metadata=metadata)


def cause(reason: str, message: str, field: str) -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}


def bad_value(field: str, value: Any, why: str) -> dict[str, str]:
    """A FieldValueInvalid cause; strings are shown quoted, as the server does."""
    shown = f'"{value}"' if isinstance(value, str) else value
    return cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)


def required(field: str, why: str = "") -> dict[str, str]:
    return cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def forbidden_field(field: str, why: str) -> dict[str, str]:
    return cause("FieldValueForbidden", f"Forbidden: {why}", field)


def unsupported(field: str, value: str, choices: list[str]) -> dict[str, str]:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    return cause("FieldValueNotSupported", f"Unsupported value: {value}: supported values: {listed}", field)


def too_long(field: str, bytes_max: int) -> dict[str, str]:
    return cause("FieldValueTooLong", f"Too long: may not be more than {bytes_max} bytes", field)


def invalid(kind: str, group: str, name: str, causes: list[dict[str, str]]) -> Refusal:
    """422 with every mistake at once, in the message and as causes."""
    listed = list(dict.fromkeys(f"{item['field']}: {item['message']}" for item in causes))
    text = listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"
    subject = f"{kind}.{group}" if group else kind
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    return Refusal(422, "Invalid", f'{subject} "{name}" is invalid: {text}', details=details | {"causes": causes})


def over_budget() -> Refusal:
    """An eviction that a PodDisruptionBudget forbids for now."""
    why = "The disruption budget keep needs 1 healthy pods and has 1 currently"
    details = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return Refusal(429, "TooManyRequests", message, details=details)
