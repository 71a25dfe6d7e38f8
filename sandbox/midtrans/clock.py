"""The sandbox's own time: real by default, and it can be frozen, sped up or moved for a test."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone

WIB = timezone(timedelta(hours=7))


class SimClock:
    """Aware UTC time that runs `scale` times as fast as the real one (0 = frozen)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Real time at real speed again."""
        with self._lock:
            self._scale = 1.0
            self._anchor(datetime.now(UTC))

    @property
    def scale(self) -> float:
        return self._scale

    @property
    def offset_s(self) -> float:
        """How far this clock is ahead of the real one, in seconds; survives a restart."""
        return (self.now() - datetime.now(UTC)).total_seconds()

    def now(self) -> datetime:
        with self._lock:
            return self._now()

    def set(self, moment: datetime) -> None:
        """Put the hands on `moment`; the speed stays. What falls due is run by Simulator.advance."""
        with self._lock:
            self._anchor(moment)

    def freeze(self) -> None:
        self.run_at(0.0)

    def run_at(self, scale: float = 1.0) -> None:
        """Let the clock run `scale` times as fast as real time from where it stands."""
        with self._lock:
            self._anchor(self._now())
            self._scale = float(scale)

    def real_seconds_until(self, moment: datetime) -> float | None:
        """Real seconds until `moment`, 0 when it has passed, None when a frozen clock never gets there."""
        missing_s = (moment - self.now()).total_seconds()
        if missing_s <= 0:
            return 0.0
        return missing_s / self._scale if self._scale else None

    def _anchor(self, moment: datetime) -> None:
        self._sim_anchor, self._real_anchor = moment, time.monotonic()

    def _now(self) -> datetime:
        passed_s = (time.monotonic() - self._real_anchor) * self._scale
        return self._sim_anchor + timedelta(seconds=passed_s)


def wib(moment: datetime) -> str:
    """The gateway's way to write a time: Jakarta wall clock without a zone."""
    return moment.astimezone(WIB).strftime("%Y-%m-%d %H:%M:%S")
