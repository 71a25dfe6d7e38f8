"""The way back from a suspension: a slot, a charge for a new period from today, and the apps as they were.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer
from portal.catalog.models import Plan
from portal.core import switches
from portal.core.db import ROW_LOCK
from portal.core.money import Money
from portal.notices import actions as notices
from portal.subscriptions.actions import slots, waiting
from portal.subscriptions.actions.charging import Period, charge_all
from portal.subscriptions.actions.living import live, locked_own
from portal.subscriptions.actions.suspending import resume_apps
from portal.subscriptions.errors import CannotResume, PriceChanged
from portal.subscriptions.models import AttemptOutcome, ChargeKind, RenewalAttempt, Subscription, WaitlistEntry
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.life import Life, life_of, resumed


def resume(
    session: Session, subscription_id: UUID, customer_id: UUID, *, agreed: Money | None = None, now: datetime
) -> Subscription:
    """Brings a suspended subscription back at its customer's word: it pays a new period from now, and its apps come
    back exactly as they were. `agreed` is the total they saw (None: whatever it costs).

    One that runs already stays as it is. Raises `CannotResume`, `PriceChanged`, `QuotaExceeded`, `InsufficientCredit`.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription = locked_own(session, subscription_id, customer_id)
    if subscription.holds_slot and subscription.live:
        return subscription
    if not choices.can_resume(subscription):
        raise CannotResume
    come_back(session, subscription, agreed=agreed, now=now)
    return subscription


def wait_to_resume(session: Session, subscription_id: UUID, customer_id: UUID, *, now: datetime) -> WaitlistEntry:
    """Takes a place in the plan's queue for a suspended subscription, before all that do not resume. A repeat keeps
    the place. Raises `CannotResume`."""
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription = locked_own(session, subscription_id, customer_id)
    if not choices.can_resume(subscription):
        raise CannotResume
    return waiting.join_to_resume(session, subscription, now=now)


def come_back(session: Session, subscription: Subscription, *, agreed: Money | None = None, now: datetime) -> None:
    """The way back of a suspended subscription whose customer and own row are held: all of it or nothing.

    Raises `PriceChanged`, `QuotaExceeded`, `InsufficientCredit`.
    """
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = _plan(session, subscription)
    turn, price = resumed(life_of(subscription), now=now), price_now(subscription, plan, now=now)
    if agreed not in (None, price):
        raise PriceChanged
    slots.take(session, subscription.customer_id, plan_id=plan.id, service_id=plan.service_id, now=now, resuming=True)
    setup_fee = first_fee(subscription, plan)
    live(subscription, turn.life)
    period = _period(subscription, plan, price, setup_fee=setup_fee)
    charge_all(session, [period], now=now)
    _note_attempt(session, period, now=now)
    resume_apps(session, subscription, now=now)
    _tell_resumed(session, period, now=now)


def price_now(life: Life | Subscription, plan: Plan, *, now: datetime) -> Money:
    """What coming back costs today: the price as it is, and the setup fee of who has never paid."""
    as_life = life if isinstance(life, Life) else life_of(life)
    return Money(resumed(as_life, now=now).charge + first_fee(life, plan))


def first_fee(life: Life | Subscription, plan: Plan) -> int:
    """The setup fee belongs to the first period that is paid: after a trial, to the way back."""
    return plan.setup_fee if life.period_number == 0 else 0


def _plan(session: Session, subscription: Subscription) -> Plan:
    statement = select(Plan).options(joinedload(Plan.service)).where(Plan.id == subscription.plan_id)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _period(subscription: Subscription, plan: Plan, price: Money, *, setup_fee: int) -> Period:
    """The new period, of a subscription that has begun it."""
    return Period(
        subscription_id=subscription.id,
        customer_id=subscription.customer_id,
        kind=ChargeKind.RESUMPTION,
        number=subscription.period_number,
        started_at=subscription.period_started_at,
        ends_at=subscription.period_ends_at,
        interval=subscription.interval,
        app=plan.service.name,
        plan=plan.name,
        amount=price.amount,
        setup_fee=setup_fee,
    )


def _note_attempt(session: Session, period: Period, *, now: datetime) -> None:
    session.add(
        RenewalAttempt(
            subscription_id=period.subscription_id,
            period_number=period.number,
            outcome=AttemptOutcome.PAID,
            amount=period.amount,
            attempted_at=now,
        )
    )


def _tell_resumed(session: Session, period: Period, *, now: datetime) -> None:
    notices.tell(
        session,
        customer_id=period.customer_id,
        code="subscription_resumed",
        parameters={
            **period.words,
            "amount": period.amount,
            "ends_at": period.ends_at.isoformat(),
            "subscription_id": str(period.subscription_id),
        },
        unique_key=f"subscription_resumed:{period.subscription_id}:{period.number}",
        now=now,
    )
