"""The stand-in's own time: it follows the machine's clock, or stands still until it is moved."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch. With `running=False` only `advance` moves it."""

    def __init__(self, *, running: bool) -> None:
        self.running = running
        self._base_s = time.time()
        self._offset_s = 0.0

    def now_s(self) -> float:
        return (time.time() if self.running else self._base_s) + self._offset_s

    def seconds(self, stamp: str) -> float:
        """A stamp back as seconds since the epoch."""
        return datetime.fromisoformat(stamp).timestamp()

    def advance(self, seconds: float) -> None:
        self._offset_s += seconds

    def stamp(self, *, plus_s: float = 0) -> str:
        """Whole seconds, as metadata carries it."""
        return self._at(plus_s).strftime("%Y-%m-%dT%H:%M:%SZ")

    def stamp_micro(self) -> str:
        return self._at(0).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _at(self, plus_s: float) -> datetime:
        return datetime.fromtimestamp(self.now_s() + plus_s, UTC)


def stamp_nano(at_s: float) -> str:
    """As a log line is stamped."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
