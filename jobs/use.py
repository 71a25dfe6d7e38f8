"""Samples what every app uses, where the cluster measures it."""

from __future__ import annotations

import structlog

from portal.core import clock
from portal.core.db import transaction
from portal.instances import actions
from portal.provisioning import use
from portal.provisioning.errors import ClusterUnavailable, Refused

log = structlog.get_logger()

BATCH = 500


def measure() -> str | dict[str, int]:
    """Every five minutes, with one list call. A cluster that does not answer leaves a gap; nothing is guessed."""
    try:
        used = use.read_use()
    except (ClusterUnavailable, Refused) as error:
        log.warning("use.no_answer", code=error.code, **error.details)
        return "the cluster did not answer"
    if used is None:
        return "not measured by this cluster"
    samples, noted = list(used.items()), 0
    for start in range(0, len(samples), BATCH):
        with transaction() as session:
            noted += actions.record_use(session, dict(samples[start : start + BATCH]), now=clock.now())
    return {"measured": noted}
