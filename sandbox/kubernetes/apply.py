"""Who owns which field, and server-side apply: merge, conflicts, force, and the removal of what was left out."""

from __future__ import annotations

from typing import Any

from .cloning import clone
from .fields import (
    MISSING,
    FieldSet,
    changed_fields,
    fields_of,
    from_fields_v1,
    merged,
    remove_at,
    shown,
    to_fields_v1,
    value_at,
)
from .refusals import Refusal, cause
from .store import Object

Owner = tuple[str, str, str]  # manager, operation (Apply or Update), subresource


class Ownership:
    """The `managedFields` of one object as field sets, one per owner."""

    def __init__(self, obj: Object | None) -> None:
        self.sets: dict[Owner, FieldSet] = {}
        self.times: dict[Owner, str] = {}
        for entry in (obj or {}).get("metadata", {}).get("managedFields") or []:
            owner = (entry["manager"], entry["operation"], entry.get("subresource", ""))
            self.sets[owner] = from_fields_v1(entry["fieldsV1"])
            self.times[owner] = entry["time"]

    def others(self, me: Owner) -> dict[Owner, FieldSet]:
        return {owner: paths for owner, paths in self.sets.items() if owner != me}

    def set(self, owner: Owner, paths: FieldSet, time: str) -> None:
        if self.sets.get(owner) != paths:
            self.times[owner] = time
        self.sets[owner] = paths

    def take_from_others(self, me: Owner, paths: FieldSet) -> None:
        for owner in self.others(me):
            self.sets[owner] = self.sets[owner] - paths

    def forget_missing(self, obj: Object, time: str) -> None:
        """Drops what the object no longer has; `stringData` stays, and so does a map that is empty now."""
        for owner, paths in self.sets.items():
            kept = {path for path in paths if _is_kept(path) or value_at(obj, path) is not MISSING}
            if kept != paths:
                self.sets[owner], self.times[owner] = kept, time

    def entries(self, api_version: str) -> list[dict[str, Any]]:
        rows = [_entry(owner, paths, self.times[owner], api_version) for owner, paths in self.sets.items() if paths]
        return sorted(rows, key=lambda row: (row["operation"], row["time"], row["manager"]))


def _is_kept(path: tuple[str, ...]) -> bool:
    return path[0] == "f:stringData" or path[-1] in ("f:annotations", "f:labels")


def _entry(owner: Owner, paths: FieldSet, time: str, api_version: str) -> dict[str, Any]:
    manager, operation, subresource = owner
    row: dict[str, Any] = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": time}
    row |= {"fieldsType": "FieldsV1", "fieldsV1": to_fields_v1(paths)}
    return row | ({"subresource": subresource} if subresource else {})


def apply(
    live: Object | None, applied: Object, owner: Owner, *, force: bool, api_version: str, time: str
) -> tuple[Object, Ownership]:
    """The object after `owner` applied its body, before defaults. Refuses with 409 on somebody else's fields."""
    ownership = Ownership(live)
    wanted = fields_of(applied)
    if live is not None:
        conflicts = _conflicts(live, applied, wanted, ownership, owner)
        if conflicts and not force:
            raise _conflict(conflicts, api_version)
        for other, path in conflicts:
            ownership.sets[other].discard(path)
    result = merged(clone(live) if live else {}, applied)
    _remove_left_out(result, ownership, owner, wanted)
    ownership.set(owner, wanted, time)
    return result, ownership


def _conflicts(
    live: Object, applied: Object, wanted: FieldSet, ownership: Ownership, me: Owner
) -> list[tuple[Owner, tuple[str, ...]]]:
    found = []
    for other, paths in sorted(ownership.others(me).items()):
        for path in sorted(wanted & paths):
            ours, theirs = value_at(applied, path), value_at(live, path)
            is_item = path[-1][:2] in ("k:", "v:")
            if not is_item and theirs is not MISSING and ours != theirs:
                found.append((other, path))
    return found


def _remove_left_out(result: Object, ownership: Ownership, me: Owner, wanted: FieldSet) -> None:
    held = set().union(*ownership.others(me).values()) if ownership.others(me) else set()
    for path in sorted(ownership.sets.get(me, set()) - wanted, key=len):
        if not any(other[: len(path)] == path for other in held | wanted):
            remove_at(result, path)


def _conflict(conflicts: list[tuple[Owner, tuple[str, ...]]], api_version: str) -> Refusal:
    by_owner: dict[Owner, list[str]] = {}
    for owner, path in conflicts:
        by_owner.setdefault(owner, []).append(shown(path))
    causes = [
        cause("FieldManagerConflict", f"conflict with {_named(owner, api_version)}", field)
        for owner, fields in by_owner.items()
        for field in fields
    ]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        parts = [
            f"conflicts with {_named(owner, api_version)}:\n" + "\n".join(f"- {field}" for field in fields)
            for owner, fields in by_owner.items()
        ]
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(parts)
    return Refusal(409, "Conflict", text, details={"causes": causes})


def _named(owner: Owner, api_version: str) -> str:
    manager, operation, subresource = owner
    text = f'"{manager}"' + (f' with subresource "{subresource}"' if subresource else "")
    return text + (f" using {api_version}" if operation == "Update" else "")


def record_update(old: Object | None, new: Object, owner: Owner, time: str) -> Ownership:
    """Ownership after an ordinary write: the writer takes over what it changed."""
    ownership = Ownership(old)
    changed = changed_fields(_owned_part(old), _owned_part(new))
    if changed:
        ownership.take_from_others(owner, changed)
        ownership.set(owner, ownership.sets.get(owner, set()) | changed, time)
    return ownership


def _owned_part(obj: Object | None) -> Object:
    """The object without what nobody can own: identity and bookkeeping."""
    body = {key: value for key, value in (obj or {}).items() if key not in ("apiVersion", "kind", "metadata", "status")}
    meta = (obj or {}).get("metadata", {})
    kept = {key: meta[key] for key in ("labels", "annotations", "finalizers", "ownerReferences") if meta.get(key)}
    return body | {"metadata": kept}
