"""Lists: selectors, pages that show one revision, resourceVersion rules, metadata-only answers."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from . import events, metrics, nodes
from .kinds import EVENTS, NEW_EVENTS, PERSISTENT_VOLUMES, POD_METRICS, Resource
from .refusals import Refusal, bad_request, expired
from .selectors import field_matcher, label_matcher
from .store import Object
from .verbs import Call

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def matching(call: Call, items: list[Object]) -> list[Object]:
    """The items that the request's selectors choose."""
    by_label = label_matcher(call.query.get("labelSelector", ""))
    by_field = field_matcher(call.query.get("fieldSelector", ""), call.resource)
    return [obj for obj in items if by_label(obj) and by_field(obj)]


def stored(call: Call) -> list[Object]:
    if call.resource is NEW_EVENTS:
        return [events.as_new_event(event) for event in call.store.list(EVENTS, call.address.namespace)]
    if call.resource is POD_METRICS:
        return metrics.of_pods(call.cluster, call.address.namespace)
    if call.resource is PERSISTENT_VOLUMES:
        return nodes.volumes(call.cluster)
    return call.store.list(call.resource, call.address.namespace)


def parse_version(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {why}') from None


def answer(call: Call) -> tuple[int, dict[str, Any]]:
    """200 with a list; 410 for what is forgotten, 504 for a resourceVersion from the future."""
    _check_version(call)
    limit = max(0, int(call.query.get("limit", "0") or 0))
    token = _read_token(call)
    version, items = _revision(call, token)
    start = token.get("start", "") if token else ""
    chosen = [obj for obj in matching(call, items) if _place(obj) > start]
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    page = chosen[:limit] if limit else chosen
    has_selector = bool(call.query.get("labelSelector") or call.query.get("fieldSelector"))
    if _is_unfinished(page, chosen, items, limit, has_selector):
        if not token:
            call.store.remember_page(call.resource, call.address.namespace, items)
        meta["continue"] = _token(version, _place(page[-1]))
        if not has_selector:
            meta["remainingItemCount"] = len(chosen) - limit
    return 200, _list_body(call.resource, meta, page)


def _is_unfinished(
    page: list[Object], chosen: list[Object], items: list[Object], limit: int, has_selector: bool
) -> bool:
    """With a selector the server cannot know that nothing more matches: it goes on while objects are left."""
    if not limit or len(page) < limit:
        return False
    return len(chosen) > limit or (has_selector and any(_place(obj) > _place(page[-1]) for obj in items))


def _list_body(resource: Resource, meta: dict[str, Any], items: list[Object]) -> dict[str, Any]:
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": meta,
        "items": items,
    }


def _place(obj: Object) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def _token(version: int, start: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"rv": version, "start": start}).encode()).decode().rstrip("=")


def _read_token(call: Call) -> dict[str, Any] | None:
    text = call.query.get("continue")
    if not text:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        why = "invalid character 'o' in literal null (expecting 'u')"
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from None


def _revision(call: Call, token: dict[str, Any] | None) -> tuple[int, list[Object]]:
    if token is None or token["rv"] == -1:
        return call.store.version, stored(call)
    page = call.store.pages.get((token["rv"], call.resource.key, call.address.namespace))
    if page is None:
        raise expired(_TOO_OLD, {"continue": _token(-1, token["start"])})
    return token["rv"], page


def _check_version(call: Call) -> None:
    text = call.query.get("resourceVersion", "")
    if not text or text == "0":
        return
    version, current = parse_version(text), call.store.version
    if call.query.get("resourceVersionMatch") == "Exact" and version < call.store.oldest:
        raise expired("The resourceVersion for the provided list is too old.")
    if version > current:
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        message = f"Timeout: Too large resource version: {version}, current: {current}"
        details = {"causes": causes, "retryAfterSeconds": 1}
        raise Refusal(504, "Timeout", message, details=details, headers={"Retry-After": "1"})


def only_metadata(body: dict[str, Any]) -> dict[str, Any]:
    """A list as PartialObjectMetadataList."""
    kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    items = [kind | {"metadata": obj["metadata"]} for obj in body["items"]]
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": body["metadata"],
    } | {"items": items}
