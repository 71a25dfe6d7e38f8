"""Taking over a subscription that runs elsewhere and is paid there until a day: no charge before its next period.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog.models import Interval
from portal.core import switches
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.subscriptions.actions import slots
from portal.subscriptions.actions.subscribing import live_subscription, sold_plan, start_instance
from portal.subscriptions.errors import AlreadySubscribed
from portal.subscriptions.models import ChargeKind, Subscription, SubscriptionCharge, SubscriptionStatus
from portal.subscriptions.rules.life import next_reminder


@dataclass(frozen=True)
class Running:
    """What runs elsewhere: plan, agreed price per interval, and the period that is paid. `key` makes a repeat
    harmless."""

    plan_id: UUID
    interval: Interval
    price: Money
    anchor_day: int
    started_at: datetime
    period_started_at: datetime
    period_ends_at: datetime
    auto_renew: bool
    key: str


def take_over(session: Session, customer_id: UUID, running: Running, *, now: datetime) -> Subscription:
    """Goes on with it here: a slot, a subscription in its paid period, a charge of zero for that, and an app.

    At the period's end it renews from credit at the agreed price, like any other. Raises `PlanNotSold`,
    `AlreadySubscribed`, `QuotaExceeded` (also while others wait for the plan).
    """
    customer = session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = sold_plan(session, running.plan_id)
    if live_subscription(session, customer_id, plan.service_id) is not None:
        raise AlreadySubscribed
    waits = slots.take(session, customer_id, plan_id=plan.id, service_id=plan.service_id, now=now)
    subscription = _open(session, customer_id, plan.service_id, running, now=now)
    waits.belong_to(subscription)
    start_instance(session, customer, subscription, plan, now=now)
    return subscription


def _open(session: Session, customer_id: UUID, service_id: UUID, running: Running, *, now: datetime) -> Subscription:
    ends_at = running.period_ends_at
    subscription = Subscription(
        id=new_id(),
        customer_id=customer_id,
        service_id=service_id,
        plan_id=running.plan_id,
        status=SubscriptionStatus.ACTIVE,
        interval=running.interval,
        price=running.price.amount,
        currency=running.price.currency,
        anchor_day=running.anchor_day,
        started_at=running.started_at,
        period_number=1,
        period_started_at=running.period_started_at,
        period_ends_at=ends_at,
        due_at=ends_at,
        remind_at=next_reminder(ends_at, now=now),
        auto_renew=running.auto_renew,
        idempotency_key=running.key,
        created_at=now,
    )
    session.add(subscription)
    session.flush()
    session.add(_charge_of_nothing(subscription, now=now))
    session.flush()
    return subscription


def _charge_of_nothing(subscription: Subscription, *, now: datetime) -> SubscriptionCharge:
    """Every period that began was charged once: this one elsewhere, so that there is nothing here to refund."""
    return SubscriptionCharge(
        subscription_id=subscription.id,
        period_number=subscription.period_number,
        kind=ChargeKind.IMPORTED,
        amount=0,
        currency=subscription.currency,
        charged_at=now,
    )
