"""Subscription jobs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.errors import Unavailable
from portal.subscriptions import intents

HELD_BACK_PAUSE = timedelta(minutes=5)


def fulfil_intents(customer_id: str) -> None:
    """Credit arrived: launches what waits for it, oldest first, each in a transaction of its own.

    One that fails stops none behind it; the first failure is raised at the end, so that all are tried again. What the
    operator holds back is no failure: it is tried again for as long as that lasts.
    """
    waiting = intents.waiting_intents(db.session(), UUID(customer_id))
    db.session.rollback()
    failures = [failure for intent_id in waiting if (failure := _try_to_fulfil(intent_id))]
    if any(map(_is_held_back, failures)):
        with transaction() as session:
            return outbox.again(session, now=clock.now(), after=HELD_BACK_PAUSE, reason="held back by the operator")
    if failures:
        raise failures[0]
    return None


def _is_held_back(failure: Exception) -> bool:
    return isinstance(failure, Unavailable) and "switch" in failure.details


def _try_to_fulfil(intent_id: UUID) -> Exception | None:
    try:
        with transaction() as session:
            intents.fulfil(session, intent_id, now=clock.now())
    except Exception as failure:  # noqa: BLE001 - the edge; raised again by the caller
        return failure
    return None
