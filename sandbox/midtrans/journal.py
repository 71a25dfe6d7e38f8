"""What happened, in order: requests, moves, deliveries. For tests to assert on and people to read."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from .clock import SimClock

ENTRIES_MAX = 5000


class Journal:
    """Append-only; the oldest entries fall out."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=ENTRIES_MAX)

    def write(self, kind: str, order_id: str, detail: dict[str, Any]) -> None:
        entry = {"at": self._clock.now().isoformat(), "kind": kind, "order_id": order_id} | detail
        with self._lock:
            self._entries.append(entry)

    def entries(self, *, kind: str = "", order_id: str = "") -> list[dict[str, Any]]:
        """Oldest first; empty filters match everything."""
        with self._lock:
            found = list(self._entries)
        return [e for e in found if kind in ("", e["kind"]) and order_id in ("", e["order_id"])]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def refill(self, entries: list[dict[str, Any]]) -> None:
        with self._lock:
            self._entries.extend(entries)
