"""Changes of plan under way, and what must wait for their end (`rules.changes.blocks_renewal`).

Ask with the subscription's row locked: a change begins and ends under that lock.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core import outbox
from portal.subscriptions.errors import PlanChangeUnderWay
from portal.subscriptions.models import UNDER_WAY, PlanChange


def change_under_way(session: Session, subscription_id: UUID) -> PlanChange | None:
    """The one change of plan that is being carried out, if there is one."""
    statement = select(PlanChange).where(
        PlanChange.subscription_id == subscription_id, PlanChange.status.in_(UNDER_WAY)
    )
    return session.scalar(statement.execution_options(populate_existing=True))


def refuse_during_change(session: Session, subscription_id: UUID) -> None:
    """Raises `PlanChangeUnderWay`: what would end a subscription, or one of its apps, waits for the change's end."""
    change = change_under_way(session, subscription_id)
    if change is not None:
        raise PlanChangeUnderWay(subscription_id=subscription_id, change_id=change.id)


def forgotten(session: Session) -> list[UUID]:
    """Changes under way that no queued work will look at again: its attempts were used up."""
    queued = outbox.is_queued("plan_changes.carry_out", "change_id", PlanChange.id)
    return list(session.scalars(select(PlanChange.id).where(PlanChange.status.in_(UNDER_WAY), ~queued)))
