"""Reads of changes of plan: what a subscription could become, what a quote says, and how a change is coming along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ScalarSelect, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.catalog.models import Interval, Plan, PlanPrice, Service
from portal.core.money import Money, rupiah
from portal.invoices.actions import split_price
from portal.subscriptions import queues, rules
from portal.subscriptions.actions.quoting import hurdle_of, proration_of
from portal.subscriptions.errors import PlanChangeNotFound, SubscriptionNotFound
from portal.subscriptions.models import (
    ENDED,
    IN_LINE,
    UNDER_WAY,
    PlanChange,
    PlanChangeStatus,
    Subscription,
    WaitlistEntry,
)
from portal.subscriptions.rules import changes
from portal.subscriptions.rules.changes import Hurdle
from portal.wallet.queries import available_amount

FAILURE_SHOWN_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Choice:
    """A plan and interval the subscription can be changed to; `due` is what that would cost right now."""

    plan: Plan
    interval: Interval
    price: Money
    due: Money
    free: bool

    @property
    def value(self) -> str:
        """As the form sends it."""
        return f"{self.plan.id}:{self.interval}"


@dataclass(frozen=True)
class Options:
    """Everything the page that offers another plan says."""

    subscription: Subscription  # with plan and service
    hurdle: Hurdle | None
    change: PlanChange | None  # under way
    choices: list[Choice]


def options(session: Session, subscription_id: UUID, customer_id: UUID, *, now: datetime) -> Options:
    """What the customer's own subscription can become, in five queries; `SubscriptionNotFound` for anybody else's."""
    subscription = session.scalar(_with_plan().where(Subscription.id == subscription_id))
    if subscription is None or subscription.customer_id != customer_id:
        raise SubscriptionNotFound
    hurdle = hurdle_of(session, subscription, now=now)
    change = _latest(session, subscription_id, now=now) if hurdle is Hurdle.UNDER_WAY else None
    plans = _plans_of(session, subscription.service_id)
    waiting = queues.waiting_counts(session, [plan.id for plan in plans])
    found = [
        _choice(subscription, plan, interval, waiting=waiting.get(plan.id, 0), now=now)
        for plan, interval in changes.choices(subscription, subscription.plan, plans)
    ]
    return Options(subscription, hurdle, change, found)


def _choice(subscription: Subscription, plan: Plan, interval: Interval, *, waiting: int, now: datetime) -> Choice:
    price = plan.price(interval)
    assert price is not None, "only what is sold is a choice"
    due = Money(proration_of(subscription, price, interval, now=now).total, price.currency)
    same = plan.id == subscription.plan_id
    return Choice(plan, interval, price, due, same or rules.slots_for_sale(plan.slots_available, ahead=waiting) > 0)


class Obstacle(StrEnum):
    """What stands between a quote and its confirmation, in the order in which it matters."""

    EXPIRED = "EXPIRED"
    SOLD_OUT = "SOLD_OUT"
    SHORT_OF_CREDIT = "SHORT_OF_CREDIT"


@dataclass(frozen=True)
class Quoted:
    """A change with everything its page says; `balance` is what the customer can spend now."""

    change: PlanChange  # with both plans and their service
    subscription: Subscription
    balance: Money
    free: bool  # a slot is there for this customer
    entry: WaitlistEntry | None  # their place in the new plan's queue
    now: datetime

    @property
    def total(self) -> Money:
        return self.change.total_money

    @property
    def ppn(self) -> Money:
        """Contained in the total."""
        return Money(split_price(self.change.total).ppn, self.change.currency)

    @property
    def balance_after(self) -> Money:
        return self.balance - self.total

    @property
    def shortfall(self) -> Money:
        return max(self.total - self.balance, Money(0, self.total.currency))

    @property
    def obstacle(self) -> Obstacle | None:
        if changes.is_stale(self.change, self.subscription, now=self.now):
            return Obstacle.EXPIRED
        if not self.free:
            return Obstacle.SOLD_OUT
        return Obstacle.SHORT_OF_CREDIT if self.shortfall else None


def quoted(session: Session, subscription_id: UUID, change_id: UUID, customer_id: UUID, *, now: datetime) -> Quoted:
    """The customer's own change, in two queries; `PlanChangeNotFound` for anybody else's."""
    in_line = and_(
        WaitlistEntry.customer_id == customer_id,
        WaitlistEntry.plan_id == PlanChange.to_plan_id,
        WaitlistEntry.status.in_(IN_LINE),
    )
    statement = (
        select(PlanChange, Subscription, available_amount(customer_id), WaitlistEntry)
        .join(Subscription, Subscription.id == PlanChange.subscription_id)
        .outerjoin(WaitlistEntry, in_line)
        .options(joinedload(PlanChange.from_plan), joinedload(PlanChange.to_plan).joinedload(Plan.service))
        .where(PlanChange.id == change_id, PlanChange.subscription_id == subscription_id)
        .where(PlanChange.customer_id == customer_id)
        .execution_options(populate_existing=True)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        raise PlanChangeNotFound
    change, subscription, balance, entry = row
    free = _is_free(session, change, entry)
    return Quoted(change, subscription, rupiah(balance), free, entry, now)


def _is_free(session: Session, change: PlanChange, entry: WaitlistEntry | None) -> bool:
    if not changes.needs_cluster(change):
        return True
    ahead = queues.count_ahead(session, change.customer_id, change.to_plan_id)
    held = entry is not None and entry.holds_slot
    return rules.slots_for_sale(change.to_plan.slots_available, ahead=ahead, held=held) > 0


@dataclass(frozen=True)
class Beside:
    """What the subscription's page says of changing its plan."""

    change: PlanChange | None  # under way, or undone of late
    possible: bool  # something leads up from here


def beside(session: Session, subscription: Subscription, change: PlanChange | None, *, now: datetime) -> Beside:
    """For a subscription that is loaded with its plan, and its `latest_id` change with both plans; in one query."""
    hurdle = changes.hurdle(subscription, under_way=_goes_on(change), apps_ready=True, now=now)
    if hurdle is not None:
        return Beside(change, possible=False)
    plans = _plans_of(session, subscription.service_id)
    return Beside(change, possible=any(changes.choices(subscription, subscription.plan, plans)))


def _goes_on(change: PlanChange | None) -> bool:
    return change is not None and change.status in UNDER_WAY


def of_service(session: Session, customer_id: UUID, service_id: UUID) -> Subscription | None:
    """The customer's live subscription to a service, with its plan: what the service's page offers a change of."""
    live = (Subscription.customer_id == customer_id, Subscription.service_id == service_id)
    statement = select(Subscription).options(joinedload(Subscription.plan))
    return session.scalar(statement.where(*live, Subscription.status.not_in(ENDED)))


def _with_plan():  # type: ignore[no-untyped-def]
    return (
        select(Subscription)
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .execution_options(populate_existing=True)
    )


def _plans_of(session: Session, service_id: UUID) -> Sequence[Plan]:
    statement = (
        select(Plan)
        .options(joinedload(Plan.prices))
        .join(Service, and_(Service.id == Plan.service_id, Service.active))
        .where(Plan.service_id == service_id, Plan.active)
        .where(select(PlanPrice.id).where(PlanPrice.plan_id == Plan.id, PlanPrice.active).exists())
        .order_by(Plan.sort_order)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).unique().all()


def _latest(session: Session, subscription_id: UUID, *, now: datetime) -> PlanChange | None:
    """The change under way, or undone of late, with both plans."""
    plans = joinedload(PlanChange.from_plan), joinedload(PlanChange.to_plan).joinedload(Plan.service)
    statement = select(PlanChange).options(*plans).where(PlanChange.id == latest_id(subscription_id, now=now))
    return session.scalar(statement.execution_options(populate_existing=True))


def latest_id(subscription_id: UUID, *, now: datetime) -> ScalarSelect[UUID]:
    """Of the change under way; else of one that was undone within the last day."""
    undone = and_(PlanChange.status == PlanChangeStatus.ROLLED_BACK, PlanChange.ended_at > now - FAILURE_SHOWN_FOR)
    statement = (
        select(PlanChange.id)
        .where(PlanChange.subscription_id == subscription_id)
        .where(or_(PlanChange.status.in_(UNDER_WAY), undone))
        .order_by(PlanChange.confirmed_at.desc())
        .limit(1)
    )
    return statement.scalar_subquery()
