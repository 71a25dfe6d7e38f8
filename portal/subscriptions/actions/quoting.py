"""What another plan would cost: a quote that lives fifteen minutes, takes nothing and blocks nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.catalog.errors import PlanNotSold
from portal.catalog.models import Interval, Plan
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.instances.models import Instance
from portal.instances.rules import can_resize
from portal.subscriptions.actions.subscribing import sold_plan
from portal.subscriptions.actions.under_way import change_under_way
from portal.subscriptions.errors import CannotChangePlan, NotAnUpgrade, SubscriptionNotFound
from portal.subscriptions.models import PlanChange, PlanChangeStatus, Subscription
from portal.subscriptions.rules import changes
from portal.subscriptions.rules.proration import Proration, prorate

FORGOTTEN_AFTER = timedelta(days=1)
UNTAKEN = (PlanChangeStatus.QUOTED, PlanChangeStatus.LAPSED)


def quote(
    session: Session, subscription_id: UUID, customer_id: UUID, to_plan_id: UUID, interval: str, *, now: datetime
) -> PlanChange:
    """What a change to that plan and interval costs now, kept for `quote_minutes`; an earlier quote lapses.

    Takes nothing: neither credit nor slot. Raises `SubscriptionNotFound`, `PlanNotSold`, `NotAnUpgrade` and
    `CannotChangePlan` with its hurdle.
    """
    # Two quotes at once would each let the other's predecessors lapse, in any order.
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription = _own(session, subscription_id, customer_id)
    refuse_hurdles(session, subscription, now=now)
    from_plan = sold_plan(session, subscription.plan_id, still_sold=False)
    to_plan = sold_plan(session, to_plan_id)
    price = to_plan.price(interval)
    if price is None:
        raise PlanNotSold
    if not changes.leads_up(subscription, from_plan, to_plan, interval):
        raise NotAnUpgrade
    _let_earlier_lapse(session, subscription_id, now=now)
    change = _quoted(subscription, to_plan, Interval(interval), price, now=now)
    session.add(change)
    session.flush()
    return change


def refuse_hurdles(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """Raises `CannotChangePlan` while something is in the way."""
    hurdle = hurdle_of(session, subscription, now=now)
    if hurdle is not None:
        raise CannotChangePlan(hurdle)


def hurdle_of(session: Session, subscription: Subscription, *, now: datetime) -> changes.Hurdle | None:
    """What is in the way of any change of this subscription's plan; None when it may be changed."""
    statement = select(Instance).where(Instance.subscription_id == subscription.id, Instance.fenced_at.is_(None))
    apps = session.scalars(statement.execution_options(populate_existing=True)).all()
    under_way = change_under_way(session, subscription.id) is not None
    return changes.hurdle(subscription, under_way=under_way, apps_ready=all(map(can_resize, apps)), now=now)


def leads_up(session: Session, subscription: Subscription, to_plan: Plan, interval: str) -> bool:
    """Is that plan a step up from what runs?"""
    return changes.leads_up(subscription, session.get_one(Plan, subscription.plan_id), to_plan, interval)


def proration_of(subscription: Subscription, price: Money, interval: str, *, now: datetime) -> Proration:
    """A change of this subscription to a plan at `price` by `interval`, taken apart as it stands now."""
    return prorate(
        from_price=subscription.price,
        to_price=price.amount,
        from_interval=subscription.interval,
        to_interval=interval,
        starts_at=subscription.period_started_at,
        ends_at=subscription.period_ends_at,
        anchor_day=subscription.anchor_day,
        now=now,
    )


def _quoted(
    subscription: Subscription, to_plan: Plan, interval: Interval, price: Money, *, now: datetime
) -> PlanChange:
    parts = proration_of(subscription, price, interval, now=now)
    return PlanChange(
        id=new_id(),
        subscription_id=subscription.id,
        customer_id=subscription.customer_id,
        from_plan_id=subscription.plan_id,
        to_plan_id=to_plan.id,
        from_interval=subscription.interval,
        to_interval=interval.value,
        from_price=subscription.price,
        to_price=price.amount,
        unused_value=parts.unused_value,
        cost=parts.cost,
        total=parts.total,
        currency=price.currency,
        period_number=subscription.period_number,
        period_started_at=parts.period_started_at,
        period_ends_at=parts.period_ends_at,
        status=PlanChangeStatus.QUOTED,
        quoted_at=now,
        expires_at=min(now + timedelta(minutes=settings().quote_minutes), subscription.period_ends_at),
    )


def _let_earlier_lapse(session: Session, subscription_id: UUID, *, now: datetime) -> None:
    """The newest quote is the one that counts; what nobody took is forgotten after a day."""
    untaken = (PlanChange.subscription_id == subscription_id, PlanChange.status.in_(UNTAKEN))
    session.execute(delete(PlanChange).where(*untaken, PlanChange.expires_at < now - FORGOTTEN_AFTER))
    session.execute(update(PlanChange).where(*untaken).values(status=PlanChangeStatus.LAPSED))


def _own(session: Session, subscription_id: UUID, customer_id: UUID) -> Subscription:
    statement = select(Subscription).where(Subscription.id == subscription_id, Subscription.customer_id == customer_id)
    subscription = session.scalar(statement.execution_options(populate_existing=True))
    if subscription is None:
        raise SubscriptionNotFound
    return subscription
