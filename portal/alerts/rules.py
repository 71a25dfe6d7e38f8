"""What is worth a person's attention: pure judgements over what was observed.

A new alert is a figure in `Facts`, a line that reads it in `queries.observe`, a rule in `RULES`, its words in
`portal/notices/wording/alerts.py` and its story in `docs/alerts.md`. What a job finds out by itself (apps that went
silent, a cluster that is not as wanted) is not judged here: the job calls `actions.record` with its own `Signal`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from portal.core.pulse import Pulse

WINDOW_MINUTES = 10
"""Over how long calls to outside services are counted."""
FAILED_MIN, FAILED_SHARE_PERCENT = 3, 50
ERRORS_MIN = 10
QUEUE_OLD_AFTER = timedelta(minutes=10)
DISK_FULL_PERCENT = 80
LASTS = timedelta(minutes=2)
"""How long most things must last before anybody hears of them: a restart is no news."""
QUIET = timedelta(minutes=10)
"""How long something must not be seen before it is over."""
QUIET_AFTER_RETURN = timedelta(hours=1)
"""The same for what came back: it is told that it is back, and then nothing until it has really gone."""
RETURN_WITHIN = timedelta(minutes=30)
"""What comes back this soon is the same alert."""
TELL_MORE_AFTER = timedelta(hours=1)
"""More of what is open is told no sooner than this after the last telling."""
REMIND_AFTER = timedelta(days=1)
"""What nobody takes on is told again this often."""
NAMED_MAX = 10


@dataclass(frozen=True)
class Signal:
    """Something is not well now. `about` names what it is about; `lasts` is how long it must last to count."""

    code: str
    parameters: dict[str, Any] = field(default_factory=dict)
    about: Sequence[str] = ()
    key: str = ""
    lasts: timedelta = LASTS


@dataclass(frozen=True)
class ShortPlan:
    """A plan that people wait for."""

    name: str
    free: int
    total: int
    waiting: int


@dataclass(frozen=True)
class Facts:
    """What was observed at one moment; the defaults are those of a portal that is well."""

    now: datetime
    books: Sequence[str] = ()  # open differences that the audit found, each as check and row
    comparison: Sequence[str] = ()  # the same of the comparison with the gateway
    gateway: Pulse = field(default_factory=Pulse)
    cluster: Pulse = field(default_factory=Pulse)
    mail: Pulse = field(default_factory=Pulse)
    requests: Pulse = field(default_factory=Pulse)
    work_due: int = 0
    work_oldest_at: datetime | None = None
    work_failed: Sequence[tuple[str, str]] = ()  # id and name
    workers: int | None = 1  # None while Redis does not say
    runs_late: Sequence[str] = ()
    runs_failed: Sequence[str] = ()
    database_bytes: int = 0
    volume_bytes: int = 0  # 0: unknown
    short_plans: Sequence[ShortPlan] = ()
    nodes_away: Sequence[str] = ()  # names of those that are silent or not ready, without maintenance


Rule = Callable[[Facts], Signal | None]


def books_differ(facts: Facts) -> Signal | None:
    return _named("books_differ", facts.books, lasts=timedelta(0))


def reconciliation_differs(facts: Facts) -> Signal | None:
    return _named("reconciliation_differs", facts.comparison, lasts=timedelta(0))


def gateway_down(facts: Facts) -> Signal | None:
    return _silent("gateway_down", facts.gateway)


def cluster_down(facts: Facts) -> Signal | None:
    return _silent("cluster_down", facts.cluster)


def mail_failing(facts: Facts) -> Signal | None:
    return _silent("mail_failing", facts.mail)


def many_errors(facts: Facts) -> Signal | None:
    if facts.requests.failed < ERRORS_MIN:
        return None
    return Signal("many_errors", {"failed": facts.requests.failed})


def queue_old(facts: Facts) -> Signal | None:
    if facts.work_oldest_at is None or facts.now - facts.work_oldest_at <= QUEUE_OLD_AFTER:
        return None
    return Signal("queue_old", {"due": facts.work_due, "oldest_at": facts.work_oldest_at.isoformat()})


def work_failed(facts: Facts) -> Signal | None:
    """One alert for all of it: work that fails later is told with the rest, at most hourly."""
    if not facts.work_failed:
        return None
    names = dict.fromkeys(name for _, name in facts.work_failed)
    parameters = {"count": len(facts.work_failed), "first": ", ".join(list(names)[:NAMED_MAX])}
    return Signal("work_failed", parameters, about=[identity for identity, _ in facts.work_failed])


def worker_absent(facts: Facts) -> Signal | None:
    return Signal("worker_absent") if facts.workers == 0 else None


def runs_late(facts: Facts) -> Signal | None:
    return _named("runs_late", facts.runs_late)


def runs_failed(facts: Facts) -> Signal | None:
    return _named("runs_failed", facts.runs_failed)


def disk_short(facts: Facts) -> Signal | None:
    if not facts.volume_bytes or 100 * facts.database_bytes < DISK_FULL_PERCENT * facts.volume_bytes:
        return None
    gib = 1024**3
    figures = {
        "percent": 100 * facts.database_bytes // facts.volume_bytes,
        "size_gib": facts.database_bytes // gib,
        "volume_gib": facts.volume_bytes // gib,
    }
    return Signal("disk_short", figures)


def slots_short(facts: Facts) -> Signal | None:
    """Plans of which at most a tenth is free while people wait: free slots that are about to be offered are no news."""
    short = [plan for plan in facts.short_plans if plan.waiting and plan.free * 10 <= plan.total]
    named = [f"{plan.name} ({plan.waiting})" for plan in short[:NAMED_MAX]]
    if not short:
        return None
    parameters = {"count": len(short), "first": ", ".join(named)}
    return Signal("slots_short", parameters, about=[plan.name for plan in short], lasts=timedelta(minutes=30))


def node_offline(facts: Facts) -> Signal | None:
    return _named("node_offline", facts.nodes_away)


RULES: tuple[Rule, ...] = (
    books_differ, reconciliation_differs, gateway_down, cluster_down, queue_old, work_failed, worker_absent, runs_late,
    runs_failed, mail_failing, many_errors, disk_short, slots_short,
    node_offline,
)  # fmt: skip
"""Every rule, named like the code of its alert. The one place to add another."""

CODES = tuple(rule.__name__ for rule in RULES)
REPORTED = ("apps_silent", "cluster_drift")
"""Codes that jobs report by themselves."""


def judge(facts: Facts) -> list[Signal]:
    """Everything that is not well."""
    return [signal for rule in RULES if (signal := rule(facts)) is not None]


def _named(code: str, names: Sequence[str], *, lasts: timedelta = LASTS) -> Signal | None:
    if not names:
        return None
    return Signal(code, {"count": len(names), "first": ", ".join(names[:NAMED_MAX])}, about=names, lasts=lasts)


def _silent(code: str, pulse: Pulse) -> Signal | None:
    if pulse.failed < FAILED_MIN or pulse.failed_percent < FAILED_SHARE_PERCENT:
        return None
    return Signal(code, {"failed": pulse.failed, "calls": pulse.failed + pulse.answered})
