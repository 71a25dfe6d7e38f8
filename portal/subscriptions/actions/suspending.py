"""What a suspension, the way back and an end do besides the subscription's own columns: to its slot and its apps.

The caller holds the subscription's row. Slots are locked before wallets and apps after them, so whoever moves money
too locks the plans first (`lock_plans`) and calls these last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.catalog import actions as catalog
from portal.catalog.models import Plan
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.subscriptions.actions.living import live
from portal.subscriptions.models import EndReason, Subscription
from portal.subscriptions.rules.life import Turn, ended, life_of


def lock_plans(session: Session, plan_ids: Iterable[UUID]) -> None:
    """Locks plans in ascending order, before any wallet is: their slots may be given back or taken afterwards."""
    statement = select(Plan.id).where(Plan.id.in_(set(plan_ids))).order_by(Plan.id)
    session.execute(statement.with_for_update(key_share=True)).all()


def suspend(session: Session, subscription: Subscription, turn: Turn, *, now: datetime) -> None:
    """Takes the step to SUSPENDED: the slot is free from here, and every app goes to zero with its data kept."""
    if subscription.holds_slot:
        catalog.free_slot(session, subscription.plan_id)
    live(subscription, turn.life)
    _each_app(session, subscription.id, instances.suspend, now=now)


def resume_apps(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """Brings back every app as it was before its suspension. Slot, charge and columns are the caller's."""
    _each_app(session, subscription.id, instances.resume, now=now)


def end(session: Session, subscription: Subscription, reason: EndReason, *, now: datetime) -> None:
    """Ends it and fences all its apps: their data goes. A slot it holds is freed once the cluster confirms that
    nothing is left of them; at once when there is nothing to confirm."""
    live(subscription, ended(life_of(subscription), reason, now=now).life)
    _each_app(session, subscription.id, instances.fence, now=now)
    if subscription.holds_slot and not _unclean(session, subscription.id):
        catalog.free_slot(session, subscription.plan_id)
        subscription.holds_slot = False


def _each_app(session: Session, subscription_id: UUID, act: Callable[..., bool], *, now: datetime) -> None:
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id, Instance.fenced_at.is_(None))
    for instance_id in session.scalars(statement.order_by(Instance.id)).all():
        act(session, instance_id, now=now)


def _unclean(session: Session, subscription_id: UUID) -> bool:
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id, Instance.cleaned_up_at.is_(None))
    return session.scalar(statement.limit(1)) is not None
