"""Subscribing: money, slot, subscription, charge, invoice, instance and queued work in one transaction.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer
from portal.catalog.errors import PlanNotSold
from portal.catalog.models import Interval, Plan
from portal.core import switches
from portal.core.clock import today
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.notices import actions as notices
from portal.subscriptions import rules
from portal.subscriptions.actions import slots, trials
from portal.subscriptions.actions.charging import Period, charge_all
from portal.subscriptions.errors import DuplicateSubscription, NoTrial, PriceChanged, UpgradeRequired
from portal.subscriptions.models import (
    ENDED,
    ChargeKind,
    Subscription,
    SubscriptionStatus,
)
from portal.subscriptions.rules.changes import leads_up
from portal.subscriptions.rules.life import next_reminder
from portal.subscriptions.rules.trials import trial_end


@dataclass(frozen=True)
class Purchase:
    """What the customer agreed to: the plan, the interval and the total they saw. `key` makes a repeat harmless."""

    plan_id: UUID
    interval: str
    agreed_total: Money
    key: str
    trial: bool = False  # the total is agreed for the time after it


def subscribe(session: Session, customer_id: UUID, purchase: Purchase, *, now: datetime) -> Subscription:
    """Buys a plan: money, slot, subscription, charge, invoice draft, instance and queued work, or nothing at all.

    A slot that is held for the customer is used; whatever else they waited for of this service ends, so that a later
    top-up launches nothing by surprise. A repeat of the purchase's key returns the same subscription. Raises
    `PlanNotSold`, `DuplicateSubscription`, `PriceChanged`, `QuotaExceeded` (also while others wait for the plan),
    `InsufficientCredit` (with the exact shortfall).

    With a `trial` nothing is charged before it ends; `NoTrial`, `TrialUsed` and `TrialNeedsEmail` refuse it.
    """
    customer = session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    own = _live_or_of_key(session, customer_id, purchase.key)
    for known in own:
        if known.idempotency_key == purchase.key:
            return known
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = sold_plan(session, purchase.plan_id)
    price = plan.price(purchase.interval)
    if price is None:
        raise PlanNotSold
    _refuse_second(session, own, plan, purchase.interval)
    if price + Money(plan.setup_fee, price.currency) != purchase.agreed_total:
        raise PriceChanged
    if purchase.trial:
        _refuse_trial(session, customer_id, plan)
    waits = slots.take(session, customer_id, plan_id=plan.id, service_id=plan.service_id, now=now)
    subscription = _open(session, customer, plan, purchase, price, now=now)
    waits.belong_to(subscription)
    if purchase.trial:
        trials.claim(session, subscription, now=now)
        _tell_trial(session, subscription, plan, purchase.agreed_total, now=now)
    else:
        _charge(session, subscription, plan, purchase.agreed_total, now=now)
        _tell_started(session, subscription, plan, purchase.agreed_total, now=now)
    start_instance(session, customer, subscription, plan, now=now)
    return subscription


def sold_plan(session: Session, plan_id: UUID, *, still_sold: bool = True) -> Plan:
    """The plan with its service and prices, as long as both are for sale (unless that does not matter any more);
    raises `PlanNotSold`."""
    plan = session.scalars(_asked_plan(), {"plan_id": plan_id}).unique().one_or_none()
    if plan is None or (still_sold and not (plan.active and plan.service.active)):
        raise PlanNotSold
    return plan


@cache
def _asked_plan() -> Select[Plan]:
    """Built once: every purchase asks."""
    statement = select(Plan).options(joinedload(Plan.service), joinedload(Plan.prices))
    return statement.where(Plan.id == bindparam("plan_id")).execution_options(populate_existing=True)


def live_subscription(session: Session, customer_id: UUID, service_id: UUID) -> Subscription | None:
    """The customer's one live subscription to a service, in whatever state short of its end."""
    return session.scalar(
        select(Subscription).where(
            Subscription.customer_id == customer_id,
            Subscription.service_id == service_id,
            Subscription.status.not_in(ENDED),
        )
    )


def _live_or_of_key(session: Session, customer_id: UUID, key: str) -> Sequence[Subscription]:
    """What the customer has now, and what this very purchase made before, however that went on."""
    statement = select(Subscription).where(
        Subscription.customer_id == customer_id,
        or_(Subscription.status.not_in(ENDED), Subscription.idempotency_key == key),
    )
    return session.scalars(statement).all()


def _refuse_second(session: Session, own: Sequence[Subscription], plan: Plan, interval: str) -> None:
    for live in own:
        if live.service_id == plan.service_id:
            upgrade = leads_up(live, session.get_one(Plan, live.plan_id), plan, interval)
            raise (UpgradeRequired if upgrade else DuplicateSubscription)(live.id)


def _refuse_trial(session: Session, customer_id: UUID, plan: Plan) -> None:
    if not plan.trial_days:
        raise NoTrial
    trials.refuse_trial(session, customer_id, plan.service_id)


def _open(
    session: Session, customer: Customer, plan: Plan, purchase: Purchase, price: Money, *, now: datetime
) -> Subscription:
    anchor_day = today(now).day
    ends_at = rules.period_end(now, purchase.interval, anchor_day=anchor_day)
    if purchase.trial:
        ends_at = trial_end(now, days=plan.trial_days)
    subscription = Subscription(
        id=new_id(),
        customer_id=customer.id,
        service_id=plan.service_id,
        plan_id=plan.id,
        status=SubscriptionStatus.TRIALING if purchase.trial else SubscriptionStatus.ACTIVE,
        interval=Interval(purchase.interval),
        price=price.amount,
        currency=price.currency,
        anchor_day=anchor_day,
        started_at=now,
        period_number=0 if purchase.trial else 1,
        period_started_at=now,
        period_ends_at=ends_at,
        due_at=ends_at,
        remind_at=next_reminder(ends_at, now=now),
        idempotency_key=purchase.key,
        created_at=now,
    )
    session.add(subscription)
    session.flush()
    return subscription


def _charge(session: Session, subscription: Subscription, plan: Plan, total: Money, *, now: datetime) -> None:
    """Takes the first period's price and the setup fee from credit, once per subscription and period."""
    period = Period(
        subscription_id=subscription.id,
        customer_id=subscription.customer_id,
        kind=ChargeKind.FIRST,
        number=subscription.period_number,
        started_at=subscription.period_started_at,
        ends_at=subscription.period_ends_at,
        interval=subscription.interval,
        app=plan.service.name,
        plan=plan.name,
        amount=total.amount,
        setup_fee=plan.setup_fee,
    )
    charge_all(session, [period], now=now)


def start_instance(
    session: Session, customer: Customer, subscription: Subscription, plan: Plan, *, now: datetime
) -> Instance:
    """A first or further app of a subscription, with the plan's resources."""
    return instances.create(
        session,
        customer=customer,
        subscription_id=subscription.id,
        service_slug=plan.service.slug,
        service_name=plan.service.name,
        cpu_millicores=plan.cpu_millicores,
        memory_mib=plan.memory_mib,
        storage_gib=plan.storage_gib,
        now=now,
    )


def _tell_started(session: Session, subscription: Subscription, plan: Plan, total: Money, *, now: datetime) -> None:
    """In-app only: the invoice is the mail."""
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="subscription_started",
        parameters={**_words(plan, subscription), "amount": total.amount, "subscription_id": str(subscription.id)},
        unique_key=f"subscription_started:{subscription.id}",
        now=now,
        mail=not total,
    )


def _tell_trial(session: Session, subscription: Subscription, plan: Plan, price: Money, *, now: datetime) -> None:
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="trial_started",
        parameters={
            **_words(plan, subscription),
            "price": price.amount,
            "ends_at": subscription.period_ends_at.isoformat(),
            "subscription_id": str(subscription.id),
        },
        unique_key=f"trial_started:{subscription.id}",
        now=now,
    )


def _words(plan: Plan, subscription: Subscription) -> dict[str, str]:
    """What lines and notices say of a subscription."""
    return {"app": plan.service.name, "plan": plan.name, "interval": subscription.interval}
