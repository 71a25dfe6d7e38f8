"""Processor time: what work costs, whoever else keeps the machine busy meanwhile."""

from __future__ import annotations

import resource
from collections.abc import Iterable

import psutil

from bench.world import World


class Meter:
    """Seconds of processor time of PostgreSQL and of other processes, from the making of the meter on."""

    def __init__(self, bench: World, others: Iterable[int] = ()) -> None:
        assert bench.postgres.process is not None
        self._postmaster, self._others = bench.postgres.process.pid, list(others)
        self._began_s = self._seconds()

    def spent_s(self) -> float:
        """So far, with the programs this process ran and waited for."""
        return self._seconds() - self._began_s

    def _seconds(self) -> float:
        while True:
            try:
                return self._sum_s()
            except psutil.NoSuchProcess:  # a connection closed while its backend was looked at
                continue

    def _sum_s(self) -> float:
        postmaster = psutil.Process(self._postmaster)
        processes = [postmaster, *postmaster.children(recursive=True), *map(psutil.Process, self._others)]
        alive = sum(times.user + times.system for times in (process.cpu_times() for process in processes))
        own, ran = postmaster.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
        return alive + own.children_user + own.children_system + ran.ru_utime + ran.ru_stime
