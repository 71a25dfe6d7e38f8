"""Are the apps well? Asks every running app's public address, several at a time, and notes what answered.

Nothing is restarted because of a silence. When most apps are silent together the way to them is broken: then the
operator is told, and no customer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from flask import Flask, current_app

from portal.alerts import actions as alerts
from portal.alerts.rules import Signal
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, checks, history, wanted
from portal.instances.checks import Check, Due
from portal.provisioning import cluster, listing, probe
from portal.provisioning.errors import ClusterUnavailable, Refused

log = structlog.get_logger()

AT_ONCE = 16
BATCH = 200


def check_apps() -> dict[str, int]:
    """Every five minutes: one round of questions, its history, its outages, and who hears of them."""
    begun = clock.now()
    cluster_away = not _cluster_answers()
    if cluster_away and not probe.is_possible():
        return {"asked": 0, "silent": 0, "told": 0, "unclear": 1}
    found, widespread = _ask_all() if probe.is_possible() else _ask_cluster()
    silent = sum(not check.answered for check in found)
    unclear = widespread or (cluster_away and silent > 0)
    told = _record(found, unclear=unclear, begun=begun)
    _tell_operator(len(found), silent, unclear=unclear, cluster_away=cluster_away)
    if silent:
        log.warning("health.silent", asked=len(found), silent=silent, unclear=unclear)
    return {"asked": len(found), "silent": silent, "told": told, "unclear": int(unclear)}


def _cluster_answers() -> bool:
    """The operator hears of a cluster that does not answer even when nothing is being set up."""
    try:
        cluster.check_health()
    except (ClusterUnavailable, Refused) as error:
        log.error("health.cluster_down", code=error.code, **error.details)
        return False
    return True


def _ask_all() -> tuple[list[Check], bool]:
    """What every app answered, and whether the silence is widespread; then the rest is not even asked."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    found: list[Check] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in _batches():
            found += pool.map(lambda due: _ask(app, due), batch)
            if checks.is_widespread(found):
                return found, True
    return found, False


def _ask_cluster() -> tuple[list[Check], bool]:
    """Where the apps cannot be reached from here, whether the cluster calls them ready must do."""
    ready = listing.read_available()
    found = [Check(due, str(due.id) in ready) for batch in _batches() for due in batch]
    return found, checks.is_widespread(found)


def _batches() -> Iterator[list[Due]]:
    """Running apps, a batch at a time; no transaction stays open between two."""
    after = UUID(int=0)
    while True:
        batch = history.due_for_check(db.session(), after, limit=BATCH)
        db.session.close()
        if not batch:
            return
        yield batch
        after = batch[-1].id


def _ask(app: Flask, due: Due) -> Check:
    with app.app_context():
        look = probe.look(wanted.address_of(due.name))
    return Check(due, look.answered, look.took_ms)


def _record(found: Sequence[Check], *, unclear: bool, begun: datetime) -> int:
    """In short transactions. An answer is an answer in any round; a silence counts only in a clear one."""
    told = 0
    certain = [check for check in found if check.answered or not unclear]
    for start in range(0, len(certain), BATCH):
        with transaction() as session:
            told += actions.record_checks(session, certain[start : start + BATCH], now=clock.now())
    with transaction() as session:
        if unclear:
            actions.record_unclear(session, asked_before=begun, now=clock.now())
        actions.close_resting(session, now=clock.now())
    return told


def _tell_operator(asked: int, silent: int, *, unclear: bool, cluster_away: bool) -> None:
    """At its beginning and at its end."""
    now = clock.now()
    facts = {"asked": asked, "silent": silent, "asked_at": now.isoformat(), "cluster_away": int(cluster_away)}
    signals = [Signal("apps_silent", facts, lasts=timedelta(0))] if unclear else []
    with transaction() as session:
        alerts.record(session, signals, codes=("apps_silent",), now=now)
