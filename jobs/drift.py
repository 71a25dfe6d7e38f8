"""Once an hour: is the cluster as the database wants it? Repairs what is safe, tells the operator the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from portal.alerts import actions as alerts
from portal.alerts.rules import Signal
from portal.core import clock
from portal.core.db import transaction
from portal.instances import actions, drift
from portal.instances.actions import Repairs
from portal.instances.models import ClusterDrift
from portal.provisioning import listing
from portal.provisioning.errors import ClusterUnavailable, Refused
from portal.subscriptions.leaks import leaks

log = structlog.get_logger()

STUBBORN_AFTER = timedelta(hours=3)
NAMED_MAX = 10


def reconcile() -> str | dict[str, int]:
    """Every hour. A cluster that does not answer, or half, gives no verdict: what was known stays as it was."""
    listed_at = clock.now()
    try:
        live = listing.read_all()
    except (ClusterUnavailable, Refused) as error:
        log.error("drift.no_verdict", code=error.code, **error.details)
        return "no verdict: the cluster did not answer"
    with transaction() as session:
        found = drift.survey(session, live, listed_at=listed_at)
        still_open = actions.record_drift(session, found, now=clock.now())
        repairs = actions.repair_drift(session, found, now=clock.now())
        leaking = list(leaks(session, now=clock.now()))
    safe = {one.difference.key for one in found.sightings if one.repair}
    _report(still_open, safe, repairs, leaking)
    return {
        "judged": found.judged,
        "differences": len(found.sightings),
        "repairs": len(repairs.queued),
        "held": repairs.held,
        "leaks": len(leaking),
    }


def _report(
    still_open: Sequence[ClusterDrift], safe: set[listing.Key], repairs: Repairs, leaking: Sequence[str]
) -> None:
    """Names what no repair will mend: nothing safe to do, tried in vain, held back, or leaking."""
    left = [one for one in still_open if (one.namespace, one.object) not in safe or _is_stubborn(one)]
    lines = [_line(one) for one in left] + list(leaking)
    facts = {"count": len(lines), "held": repairs.held, "first": "; ".join(lines[:NAMED_MAX])}
    about = [*lines, *(["held"] if repairs.held else [])]
    signals = [Signal("cluster_drift", facts, about=about, lasts=timedelta(0))] if about else []
    with transaction() as session:
        alerts.record(session, signals, codes=("cluster_drift",), now=clock.now())


def _is_stubborn(one: ClusterDrift) -> bool:
    return one.repair_tried_at is not None and clock.now() - one.found_at > STUBBORN_AFTER


def _line(one: ClusterDrift) -> str:
    return f"{one.kind} {one.object} in {one.namespace} {one.detail}".strip()
