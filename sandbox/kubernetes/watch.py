"""Watches: history first, then what happens, then the end after timeoutSeconds; bookmarks where asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from . import listing
from .refusals import forbidden_field, invalid, unsupported
from .store import Change, Object
from .verbs import Call, shown

TIMEOUT_S = 1800
BOOKMARK_EVERY_S = 60
_INITIAL_END = "k8s.io/initial-events-end"
Matches = Callable[[Object | None], bool]


def check_options(call: Call) -> None:
    """422 for combinations that the server refuses."""
    match, initial = call.query.get("resourceVersionMatch"), call.query.get("sendInitialEvents")
    causes = []
    if match and initial is None:
        causes.append(
            forbidden_field(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        )
    if match and match != "NotOlderThan":
        causes.append(unsupported("resourceVersionMatch", f'"{match}"', ["NotOlderThan"]))
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)


def stream(call: Call) -> Iterator[bytes]:
    """The lines of one watch. All that can be refused or missed is settled before the first line is asked for."""
    check_options(call)
    text = call.query.get("resourceVersion", "")
    since = listing.parse_version(text) if text else 0
    with call.store.lock:
        listing.matching(call, [])  # a broken selector is refused here, not inside the stream
        ends_at_s = call.cluster.clock.now_s() + float(call.query.get("timeoutSeconds") or TIMEOUT_S)
        if since and since < call.store.oldest:
            return iter([_line("ERROR", _too_old(since, call.store.oldest))])
        opening, cursor = _opening(call, since)
    return chain(opening, _live(call, max(cursor, since), ends_at_s))


def _opening(call: Call, since: int) -> tuple[list[bytes], int]:
    """Without a resourceVersion, or when asked for: everything that exists, as ADDED."""
    wants_initial = call.query.get("sendInitialEvents") == "true"
    if since and not wants_initial:
        return [], since
    items = listing.matching(call, listing.stored(call))
    lines = [_line("ADDED", shown(call.resource, obj)) for obj in items]
    if wants_initial:
        lines.append(_bookmark(call, {_INITIAL_END: "true"}))
    return lines, call.store.version


def _live(call: Call, cursor: int, ends_at_s: float) -> Iterator[bytes]:
    """Until timeoutSeconds have passed on the stand-in's clock."""
    now_s = call.cluster.clock.now_s
    wants_bookmarks = call.query.get("allowWatchBookmarks") == "true"
    bookmark_at_s = min(now_s() + BOOKMARK_EVERY_S, ends_at_s - 1)
    while not call.cluster.is_closing:
        with call.store.lock:
            lines, cursor = _since(call, cursor)
            is_over = not lines and now_s() >= ends_at_s
            if not lines and not is_over:
                call.store.changed.wait(0.25)
        yield from lines
        if wants_bookmarks and now_s() >= bookmark_at_s:
            bookmark_at_s = now_s() + BOOKMARK_EVERY_S
            yield _bookmark(call, {})
        if is_over:
            return


def _since(call: Call, cursor: int) -> tuple[list[bytes], int]:
    def is_chosen(obj: Object | None) -> bool:
        return obj is not None and bool(listing.matching(call, [obj]))

    lines = []
    for change in call.store.history:
        is_here = change.key[0] == call.resource.key and call.address.namespace in ("", change.key[1])
        is_one = not call.address.name or change.key[2] == call.address.name
        if change.version > cursor and is_here and is_one:
            kind = _seen_as(change, is_chosen)
            if kind:
                lines.append(_line(kind, shown(call.resource, change.obj)))
    return lines, max(cursor, call.store.version)


def _seen_as(change: Change, is_chosen: Matches) -> str:
    """An object that enters the selection is ADDED, one that leaves it DELETED."""
    now, before = is_chosen(change.obj), is_chosen(change.before)
    if change.type == "DELETED":
        return "DELETED" if before else ""
    if now:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""


def _line(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"


def _bookmark(call: Call, annotations: dict[str, str]) -> bytes:
    """Hollow but for its resourceVersion."""
    meta: dict[str, Any] = {"resourceVersion": str(call.store.version), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = annotations
    hollow: dict[str, Any] = {"metadata": meta}
    if call.resource.kind == "Deployment":
        template = {"metadata": {"creationTimestamp": None}, "spec": {"containers": None}}
        hollow["spec"] = {"replicas": 0, "selector": None, "template": template, "strategy": {}}
    return _line("BOOKMARK", shown(call.resource, hollow | {"status": {}}))


def _too_old(version: int, oldest: int) -> dict[str, Any]:
    message = f"too old resource version: {version} ({oldest})"
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return status | {"reason": "Expired", "code": 410}
