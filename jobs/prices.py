"""A price of the catalog was changed by hand: whoever pays another one is told, however many they are."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.catalog.models import PlanPrice
from portal.core import clock, outbox
from portal.core.db import transaction
from portal.subscriptions.actions import pricing

RUN_FOR_S = 90
"""Less than a job may take; what is left is told by the next run."""
SECOND_LOOK = timedelta(minutes=10)
"""Longer than any purchase takes that read the price before it changed, and was committed after all were told."""


def announce(plan_id: str, interval: str) -> None:
    """Announces the price that stands now, batch by batch; one that changed meanwhile has a message of its own.

    Looks once more a while later, for who was just buying at the old price. Safe to repeat and to kill: nobody is told
    twice.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < RUN_FOR_S:
        with transaction() as session:
            if not _announce_some(session, UUID(plan_id), interval):
                return _end(session)
    with transaction() as session:
        return outbox.again(session, now=clock.now(), after=timedelta(0), reason="more to tell")


def _end(session: Session) -> None:
    now = clock.now()
    if now - outbox.queued_at() < SECOND_LOOK:
        return outbox.again(session, now=now, after=SECOND_LOOK, reason="for who is buying at the old price")
    return outbox.complete(session, now=now)


def _announce_some(session: Session, plan_id: UUID, interval: str) -> int:
    statement = sa.select(PlanPrice.amount).where(
        PlanPrice.plan_id == plan_id, PlanPrice.interval == interval, PlanPrice.active
    )
    price = session.scalar(statement.with_for_update(read=True))
    return 0 if price is None else pricing.announce(session, plan_id, interval, price, now=clock.now())
