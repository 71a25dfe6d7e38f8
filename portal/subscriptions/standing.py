"""How a subscription stands: everything its page says of time, money and choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from config import settings
from portal.catalog.models import Plan
from portal.core.money import Money, rupiah
from portal.instances.models import Instance
from portal.subscriptions import actions, queues, rules, upgrades
from portal.subscriptions.errors import SubscriptionNotFound
from portal.subscriptions.models import (
    IN_LINE,
    PlanChange,
    RenewalAttempt,
    Subscription,
    SubscriptionStatus,
    WaitlistEntry,
)
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.life import amount_due, life_of, resumed
from portal.subscriptions.rules.owing import Owing, missing_for, owing
from portal.subscriptions.rules.refunds import Agreed

ATTEMPTS_SHOWN_FOR = timedelta(days=100)
WAITS_FOR_CREDIT = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED)


@dataclass(frozen=True)
class Standing:
    """One subscription as it stands, for a customer who can spend `balance`."""

    subscription: Subscription  # with plan and service
    instances: Sequence[Instance]  # what runs, or has run, for it
    attempts: Sequence[RenewalAttempt]  # of late, newest first
    change: PlanChange | None  # of its plan: under way, or undone of late
    next_amount: Money  # what the next period costs
    price_now: Money  # of coming back today; meant while suspended
    missing: Money  # what is to be topped up before it is paid
    balance: Money

    @property
    def present(self) -> int:
        """Apps that run or may run again."""
        return sum(instance.fenced_at is None for instance in self.instances)

    @property
    def top_up(self) -> Money:
        """What to ask for: a smaller top-up cannot be made."""
        return rules.top_up_for(self.missing, smallest=rupiah(settings().top_up_min))

    @property
    def can(self) -> dict[str, bool]:
        """Which buttons to draw: the very rules that the actions enforce."""
        one = self.subscription
        return {
            "cancel": choices.can_cancel(one),
            "cancel_now": choices.can_cancel_now(one),
            "undo": choices.can_undo(one),
            "switch_on": not one.auto_renew and choices.can_switch_auto_renew(one, on=True),
            "switch_off": one.auto_renew and choices.can_switch_auto_renew(one, on=False),
            "resume": choices.can_resume(one),
        }


def standing(session: Session, subscription_id: UUID, customer_id: UUID, *, balance: Money, now: datetime) -> Standing:
    """The customer's own subscription, in one query; `SubscriptionNotFound` for anybody else's."""
    rows = _rows(session, subscription_id, customer_id, now=now)
    found = _each(rows, 0)
    subscription = next((one for one in found if one.id == subscription_id), None)
    if subscription is None:
        raise SubscriptionNotFound
    setup_fee = actions.first_fee(subscription, subscription.plan)
    next_amount = rupiah(amount_due(life_of(subscription), setup_fee=setup_fee))
    suspended = subscription.status == SubscriptionStatus.SUSPENDED
    price_now = actions.price_now(subscription, subscription.plan, now=now) if suspended else next_amount
    missing = Money(0)
    if subscription.status in WAITS_FOR_CREDIT:
        wanted = Owing(subscription.id, price_now.amount)
        missing = rupiah(missing_for(wanted, owing(found, now=now), balance=balance.amount))
    change = next(iter(_each(rows, 3)), None)
    return Standing(subscription, _each(rows, 2), _each(rows, 1), change, next_amount, price_now, missing, balance)


def _rows(session: Session, subscription_id: UUID, customer_id: UUID, *, now: datetime) -> Sequence[Any]:
    """The subscription with its late attempts, its apps and its change of plan, and whatever else of the customer's
    waits for credit."""
    own = Subscription.id == subscription_id
    of_late = and_(
        own,
        RenewalAttempt.subscription_id == subscription_id,
        RenewalAttempt.attempted_at >= now - ATTEMPTS_SHOWN_FOR,
    )
    statement = (
        select(Subscription, RenewalAttempt, Instance, PlanChange)
        .outerjoin(RenewalAttempt, of_late)
        .outerjoin(Instance, and_(own, Instance.subscription_id == subscription_id))
        .outerjoin(PlanChange, and_(own, PlanChange.id == upgrades.latest_id(subscription_id, now=now)))
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .options(joinedload(PlanChange.from_plan), joinedload(PlanChange.to_plan).joinedload(Plan.service))
        .where(Subscription.customer_id == customer_id, or_(own, Subscription.status.in_(WAITS_FOR_CREDIT)))
        .order_by(RenewalAttempt.attempted_at.desc(), RenewalAttempt.id.desc(), Instance.id)
        .execution_options(populate_existing=True)
    )
    return session.execute(statement).all()


def _each(rows: Sequence[Any], column: int) -> list[Any]:
    """What a column of the rows holds, each once, in their order."""
    return list({row[column].id: row[column] for row in rows if row[column] is not None}.values())


def refund_offered(session: Session, subscription: Subscription, *, now: datetime) -> Agreed:
    """What ending it now gives back, as it is shown and then agreed to."""
    return Agreed(actions.refund_now(session, subscription, now=now), now)


@dataclass(frozen=True)
class LastApp:
    """A subscription that ends with an app, and what that gives back."""

    subscription: Subscription  # with its plan
    agreed: Agreed


def last_app(session: Session, instance: Instance, *, now: datetime) -> LastApp | None:
    """What ends when this app is deleted; None while other apps of the subscription go on."""
    present = (
        select(func.count())
        .where(Instance.subscription_id == instance.subscription_id, Instance.fenced_at.is_(None))
        .scalar_subquery()
    )
    statement = select(Subscription, present).options(joinedload(Subscription.plan))
    statement = statement.where(Subscription.id == instance.subscription_id)
    subscription, apps = session.execute(statement.execution_options(populate_existing=True)).one()
    if not subscription.live or apps != 1:
        return None
    return LastApp(subscription, refund_offered(session, subscription, now=now))


def resumed_until(subscription: Subscription, *, now: datetime) -> datetime:
    """The end of the period that coming back today would pay."""
    return resumed(life_of(subscription), now=now).life.period_ends_at


@dataclass(frozen=True)
class WayBack:
    """Whether a slot is there to come back to, and the customer's place in the queue when none is."""

    free: bool
    entry: WaitlistEntry | None
    ahead: int


def way_back(session: Session, subscription: Subscription) -> WayBack:
    """Of a suspended subscription whose plan is loaded; in one query."""
    in_line = and_(
        WaitlistEntry.customer_id == subscription.customer_id,
        WaitlistEntry.plan_id == subscription.plan_id,
        WaitlistEntry.status.in_(IN_LINE),
    )
    ahead = queues.ahead_of(subscription.customer_id, subscription.plan_id, resuming=True)
    statement = select(ahead, WaitlistEntry).select_from(Subscription).outerjoin(WaitlistEntry, in_line)
    before, entry = session.execute(statement.where(Subscription.id == subscription.id)).one()
    held = entry is not None and entry.holds_slot
    slots = rules.slots_for_sale(subscription.plan.slots_available, ahead=before, held=held)
    return WayBack(slots > 0 and subscription.plan.active, entry, before)
