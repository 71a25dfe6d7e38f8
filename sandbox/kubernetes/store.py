"""What etcd is to the real server: objects by key, one growing resourceVersion, a history for watchers, pages.

Objects handed out by `get` and `list` are the stored ones: read them, `clone` before changing them.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .cloning import clone
from .kinds import BY_KEY, Resource

Object = dict[str, Any]
Objects = list[Object]
Key = tuple[str, str, str]  # (resource key, namespace, name)
HISTORY_LIMIT = 5000
PAGE_LIMIT = 200


@dataclass(frozen=True)
class Change:
    """One line of history. `before` lets a watch with a selector see an object enter and leave."""

    version: int
    type: str
    key: Key
    obj: Object
    before: Object | None


class Store:
    """Not locked by itself: every caller holds `lock`; `changed` wakes the watchers."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.clear()

    def clear(self) -> None:
        self.version = getattr(self, "version", 1000) + 1
        self.objects: dict[Key, Object] = {}
        self.versions: dict[str, int] = {}  # by namespace: when something in it last changed
        self._of_kind: dict[str, dict[str, dict[str, Object]]] = {}  # the same by resource, namespace, name
        self.history: list[Change] = []
        self.oldest = self.version
        self.pages: OrderedDict[tuple[int, str, str], Objects] = OrderedDict()
        self.is_dirty = True

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self.objects.get((resource.key, namespace, name))

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Sorted by namespace and name, as the server lists them; all namespaces when none is given."""
        places = self._of_kind.get(resource.key, {})
        named = (places.get(place, {}) for place in ([namespace] if namespace else sorted(places)))
        return [objects[name] for objects in named for name in sorted(objects)]

    def within(self, namespace: str) -> dict[Key, Object]:
        """Everything in one namespace; what stands in none, for an empty name."""
        return {
            (kind, namespace, name): obj
            for kind, places in self._of_kind.items()
            for name, obj in places.get(namespace, {}).items()
        }

    def add(self, resource: Resource, obj: Object) -> Object:
        return self._write(resource, obj, "ADDED", None)

    def update(self, resource: Resource, obj: Object) -> Object:
        """Stores a changed object; an equal one is left alone, so nobody is woken for nothing."""
        before = self.objects.get(_key(resource, obj))
        if before == obj:
            return before
        return self._write(resource, obj, "MODIFIED", before)

    def remove(self, resource: Resource, obj: Object) -> None:
        before = self.objects.pop(_key(resource, obj), None)
        if before is None:
            return
        _, namespace, name = _key(resource, obj)
        del self._of_kind[resource.key][namespace][name]
        self.version += 1
        last = clone(obj)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._record(Change(self.version, "DELETED", _key(resource, obj), last, before))

    def _write(self, resource: Resource, obj: Object, change: str, before: Object | None) -> Object:
        self.version += 1
        stored = clone(obj)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self._keep(_key(resource, obj), stored)
        self._record(Change(self.version, change, _key(resource, obj), stored, before))
        return stored

    def _keep(self, key: Key, obj: Object) -> None:
        self.objects[key] = obj
        kind, namespace, name = key
        self._of_kind.setdefault(kind, {}).setdefault(namespace, {})[name] = obj

    def _record(self, change: Change) -> None:
        self.versions[change.key[1]] = change.version
        self.history.append(change)
        if len(self.history) > HISTORY_LIMIT:
            self.oldest = self.history[HISTORY_LIMIT // 2].version
            self.history = self.history[HISTORY_LIMIT // 2 :]
        self.is_dirty = True
        with self.changed:
            self.changed.notify_all()

    def remember_page(self, resource: Resource, namespace: str, items: Objects) -> None:
        """Keeps a list as it is now, so that its next pages show the same revision."""
        self.pages[(self.version, resource.key, namespace)] = items
        while len(self.pages) > PAGE_LIMIT:
            self.pages.popitem(last=False)

    def compact(self) -> None:
        """Forgets the past, as the real server does every five minutes: old watches and pages get 410."""
        self.history.clear()
        self.pages.clear()
        self.oldest = self.version

    def dump(self) -> dict[str, Any]:
        return {"version": self.version, "objects": [[list(key), obj] for key, obj in self.objects.items()]}

    def load(self, dumped: dict[str, Any]) -> None:
        self.clear()
        self.version = self.oldest = int(dumped["version"])
        for key, obj in dumped["objects"]:
            if key[0] in BY_KEY:
                self._keep(tuple(key), obj)


def _key(resource: Resource, obj: Object) -> Key:
    return (resource.key, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def new_uid() -> str:
    return str(uuid.uuid4())
