"""Two processes of four threads, like the portal's own, that buy: each purchase is one `subscribe` in a transaction."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.buyers import Buyer

PROCESSES = 2
THREADS = 4
BUSY_ATTEMPTS_MAX = 3


@dataclass(frozen=True)
class Sold:
    """One turn: purchases, from the first start to the last commit, and how often a lock was waited for in vain."""

    count: int
    seconds: float
    busy: int

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


class Shop:
    """The running processes; a turn is shared evenly among them."""

    def __init__(self, ends: Sequence[Connection], pids: Sequence[int]) -> None:
        self._ends, self.pids = ends, pids

    def buy(self, buyers: Sequence[Buyer]) -> Sold:
        """Buys for all of them at once, four threads in each process."""
        parts = self._ask("buy", buyers)
        seconds = max(part["ended_s"] for part in parts) - min(part["began_s"] for part in parts)
        return Sold(len(buyers), seconds, sum(part["busy"] for part in parts))

    def rehearse(self, buyers: Sequence[Buyer]) -> list[Any]:
        """The statements of each purchase, without buying."""
        return [one for part in self._ask("rehearse", buyers) for one in part]

    def _ask(self, verb: str, buyers: Sequence[Buyer]) -> list[Any]:
        for number, end in enumerate(self._ends):
            end.send((verb, list(buyers[number :: len(self._ends)])))
        return [end.recv() for end in self._ends]


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Starts the processes with this one's environment and ends them with the block."""
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for _ in range(PROCESSES):
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there,), daemon=True)
        process.start()
        ends.append(here)
        processes.append(process)
    try:
        yield Shop(ends, [process.pid or 0 for process in processes])
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.join(10)


def _serve(end: Connection) -> None:
    from bench.replay import rehearsed
    from portal import create_app

    app = create_app()
    with app.app_context(), ThreadPoolExecutor(THREADS) as threads:
        while True:
            try:
                verb, buyers = end.recv()
            except EOFError:
                return
            end.send(rehearsed(buyers) if verb == "rehearse" else _buy_all(app, threads, buyers))


def _buy_all(app: Any, threads: ThreadPoolExecutor, buyers: Sequence[Buyer]) -> dict[str, float]:
    began_s = time.perf_counter()  # the same clock in every process of a machine
    busy = sum(threads.map(lambda buyer: _buy(app, buyer), buyers))
    return {"began_s": began_s, "ended_s": time.perf_counter(), "busy": busy}


def _buy(app: Any, buyer: Buyer) -> int:
    """One purchase, as the view makes it; returns how often it had to begin again."""
    from portal.core import clock
    from portal.core.db import transaction
    from portal.core.errors import Busy
    from portal.subscriptions.actions import subscribe

    with app.app_context():
        for attempt in range(BUSY_ATTEMPTS_MAX):
            try:
                with transaction() as session:
                    subscribe(session, buyer.customer_id, buyer.purchase, now=clock.now())
                return attempt
            except Busy:
                continue
    raise AssertionError("a purchase was not to be had")
