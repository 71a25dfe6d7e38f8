"""What will happen later on the simulator's clock: expiries, settlements, notification attempts."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .clock import SimClock


@dataclass(order=True)
class Task:
    """One thing to do at `due`. Only plain values in `args`, so that a restart can take it up again."""

    due: datetime
    seq: int
    kind: str = field(compare=False)
    args: dict[str, Any] = field(compare=False, default_factory=dict)


class Agenda:
    """A time-ordered list of tasks, run by a background thread or by whoever moves the clock."""

    def __init__(self, clock: SimClock, perform: Callable[[Task], None]) -> None:
        self._clock, self._perform = clock, perform
        self._tasks: list[Task] = []
        self._seq = 0
        self._busy = 0
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # tasks begin strictly in their order, whoever runs them
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, due: datetime, kind: str, **args: Any) -> None:
        with self._changed:
            self._seq += 1
            heapq.heappush(self._tasks, Task(due, self._seq, kind, args))
            self._changed.notify_all()

    def pending(self) -> list[Task]:
        with self._changed:
            return sorted(self._tasks)

    def clear(self) -> None:
        with self._changed:
            self._tasks.clear()
            self._changed.notify_all()

    def wake(self) -> None:
        """Look again: the clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def start(self) -> None:
        """Run due tasks in the background until `stop`."""
        self._thread = threading.Thread(target=self._loop, name="midtrans-agenda", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout=5)

    def work_begins(self) -> None:
        """Something due is under way outside the agenda (a delivery thread); `drain` waits for it."""
        with self._changed:
            self._busy += 1

    def work_ends(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def drain(self, timeout_s: float = 30.0) -> None:
        """Run everything due now and wait until nothing is under way. Raises TimeoutError."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            self._run_due()
            with self._changed:
                if not self._busy and self._next_due_unlocked() is None:
                    return
                left_s = give_up_at - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError(f"{self._busy} deliveries still under way after {timeout_s} s")
                if self._busy:
                    self._changed.wait(left_s)

    def advance_to(self, target: datetime, timeout_s: float = 30.0) -> None:
        """Move the clock to `target`, stopping at each task on the way so that order and times are true."""
        self.drain(timeout_s)
        while (upcoming := self._first_due_by(target)) is not None:
            self._clock.set(upcoming)
            self.drain(timeout_s)
        self._clock.set(max(target, self._clock.now()))
        self.wake()

    def _first_due_by(self, target: datetime) -> datetime | None:
        with self._changed:
            due = self._tasks[0].due if self._tasks else None
        return max(due, self._clock.now()) if due is not None and due <= target else None

    def _next_due_unlocked(self) -> datetime | None:
        due = self._tasks[0].due if self._tasks else None
        return due if due is not None and due <= self._clock.now() else None

    def _run_due(self) -> None:
        while True:
            with self._turn:
                task = self._pop_due()
                if task is None:
                    return
                try:
                    self._perform(task)
                finally:
                    self.work_ends()

    def _pop_due(self) -> Task | None:
        with self._changed:
            if self._next_due_unlocked() is None:
                return None
            self._busy += 1
            return heapq.heappop(self._tasks)

    def _loop(self) -> None:
        while not self._stopping:
            self._run_due()
            with self._changed:
                if not self._stopping and self._next_due_unlocked() is None:
                    self._changed.wait(self._seconds_to_wait())

    def _seconds_to_wait(self) -> float | None:
        if not self._tasks:
            return None
        wait_s = self._clock.real_seconds_until(self._tasks[0].due)
        return None if wait_s is None else min(wait_s, timedelta(hours=1).total_seconds())
