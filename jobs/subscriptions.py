"""Subscription jobs."""

from __future__ import annotations

from uuid import UUID

from portal.core import clock
from portal.core.db import db, transaction
from portal.subscriptions import intents


def fulfil_intents(customer_id: str) -> None:
    """Credit arrived: launches what waits for it, oldest first, each in a transaction of its own."""
    waiting = intents.waiting_intents(db.session(), UUID(customer_id))
    db.session.rollback()
    for intent_id in waiting:
        with transaction() as session:
            intents.fulfil(session, intent_id, now=clock.now())
