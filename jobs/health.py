"""Are the apps well? Asks every running app's public address, several at a time, and notes what answered."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from flask import Flask, current_app

from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, queries, wanted
from portal.provisioning import cluster, probe
from portal.provisioning.errors import ClusterUnavailable, Refused

log = structlog.get_logger()

AT_ONCE = 8
BATCH = 200


def check_apps() -> str:
    """Every five minutes. An address that is silent is noted and shown; nothing is restarted because of it."""
    _look_at_cluster()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    asked = silent = 0
    for batch in _batches():
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda name: _answers(app, name), batch.values()))
        with transaction() as session:
            for instance_id, answered in zip(batch, answers, strict=True):
                actions.record_health(session, instance_id, answered=answered, now=clock.now())
        asked, silent = asked + len(batch), silent + answers.count(False)
    if silent:
        log.warning("health.silent", asked=asked, silent=silent)
    return f"{asked} asked, {silent} silent"


def _look_at_cluster() -> None:
    """The operator hears of a cluster that does not answer even when nothing is being set up."""
    try:
        cluster.check_health()
    except (ClusterUnavailable, Refused) as error:
        log.error("health.cluster_down", code=error.code, **error.details)


def _batches() -> Iterator[dict[UUID, str]]:
    """Names of running apps by id, a batch at a time; no transaction stays open between two."""
    after = UUID(int=0)
    while True:
        batch = queries.running_after(db.session(), after, limit=BATCH)
        db.session.close()
        if not batch:
            return
        yield batch
        after = max(batch)


def _answers(app: Flask, name: str) -> bool:
    with app.app_context():
        return probe.answers(wanted.address_of(name))
