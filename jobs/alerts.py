"""Looks whether all is well, and posts what is not to the operator's webhook."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from flask_babel import force_locale

from config import settings
from portal.alerts import actions, gateway, queries, rules
from portal.alerts.errors import WebhookRefused
from portal.alerts.models import Alert
from portal.core import clock, outbox
from portal.core.db import transaction
from portal.notices import wording
from portal.notices.wording.alerts import OPENED

log = structlog.get_logger()


def evaluate() -> dict[str, int]:
    """Every minute: observes, judges, opens and closes."""
    with transaction() as session:
        now = clock.now()
        signals = rules.judge(queries.observe(session, now=now))
        tally = actions.record(session, signals, codes=rules.CODES, now=now)
    for signal in signals:
        log.warning("alert.seen", code=signal.code, **signal.parameters)
    return {"not_well": len(signals), "opened": tally.opened, "closed": tally.closed, "told": tally.told}


def post(alert_id: str, telling: int) -> None:
    """Posts one telling of an alert. A receiver tells a repeat by its `id`."""
    with transaction() as session:
        alert = queries.alert(session, UUID(alert_id))
        facts = _facts(alert, telling) if alert else None
    if facts is None or not settings().alert_webhook_url:
        return
    error = None
    try:
        gateway.post(facts, now=clock.now())
    except WebhookRefused as refusal:
        error = str(refusal.details["reason"])
        log.error("alert.webhook_refused", alert_id=alert_id, reason=error)
    with transaction() as session:
        actions.note_webhook(session, UUID(alert_id), error=error)
        outbox.complete(session, now=clock.now())


def _facts(alert: Alert, telling: int) -> dict[str, Any]:
    with force_locale(settings().operator_language):
        said = wording.word(f"{OPENED}{alert.code}", actions.said_with(alert))
    return {
        "id": f"{alert.id}:{telling}",
        "state": "closed" if alert.closed_at else "open",
        "code": alert.code,
        "key": alert.key,
        "title": said.title,
        "text": said.body,
        "parameters": alert.parameters,
        "opened_at": alert.opened_at.isoformat() if alert.opened_at else None,
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
        "returns": alert.returns,
        "url": f"{settings().public_url}{said.path}" if said.path else settings().public_url,
    }
