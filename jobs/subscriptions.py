"""Subscription jobs."""

from __future__ import annotations

from uuid import UUID

from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions import intents


def fulfil_intents(customer_id: str) -> None:
    """Credit arrived: launches what waits for it, oldest first, each in a transaction of its own.

    One that fails stops none behind it; the first failure is raised at the end, so that all are tried again.
    """
    waiting = intents.waiting_intents(db.session(), UUID(customer_id))
    db.session.rollback()
    failures = [failure for intent_id in waiting if (failure := _try_to_fulfil(intent_id))]
    if failures:
        raise failures[0]


def _try_to_fulfil(intent_id: UUID) -> Exception | None:
    try:
        with transaction() as session:
            intents.fulfil(session, intent_id, now=clock.now())
    except Exception as failure:  # noqa: BLE001 - the edge; raised again by the caller
        return failure
    return None
