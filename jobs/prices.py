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


def announce(plan_id: str, interval: str) -> None:
    """Announces the price that stands now, batch by batch; one that changed meanwhile has a message of its own.

    Safe to repeat and to kill: nobody is told twice.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < RUN_FOR_S:
        with transaction() as session:
            if not _announce_some(session, UUID(plan_id), interval):
                return outbox.complete(session, now=clock.now())
    with transaction() as session:
        return outbox.again(session, now=clock.now(), after=timedelta(0), reason="more to tell")


def _announce_some(session: Session, plan_id: UUID, interval: str) -> int:
    statement = sa.select(PlanPrice.amount).where(
        PlanPrice.plan_id == plan_id, PlanPrice.interval == interval, PlanPrice.active
    )
    price = session.scalar(statement.with_for_update(read=True))
    return 0 if price is None else pricing.announce(session, plan_id, interval, price, now=clock.now())
