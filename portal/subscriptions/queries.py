"""Reads shaped for the pages that sell and show subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from portal.accounts.models import Customer
from portal.catalog.errors import PlanNotSold
from portal.catalog.models import Interval, Plan
from portal.core.clock import today
from portal.core.money import Money, rupiah
from portal.instances.models import Instance
from portal.invoices.actions import split_price
from portal.invoices.models import Document, Series
from portal.subscriptions import actions, queues, rules
from portal.subscriptions.errors import SubscriptionNotFound
from portal.subscriptions.models import (
    ENDED,
    HOLDS_SLOT,
    IN_LINE,
    IntentStatus,
    LaunchIntent,
    Subscription,
    SubscriptionCharge,
    WaitlistEntry,
)
from portal.subscriptions.rules import Obstacle, Quote, Running, Runway
from portal.subscriptions.rules.life import life_of
from portal.subscriptions.terms import terms
from portal.wallet.queries import available_amount

PAGE_SIZE = 20
CHARGES_SHOWN_MAX = 60
DUE_SOON = timedelta(days=7)
KEPT_ALIVE_FIRST = (
    case((Subscription.status.not_in(ENDED), Subscription.renewal_order)).nulls_last(),
    case((Subscription.status.not_in(ENDED), Subscription.period_ends_at)),
    case((Subscription.status.not_in(ENDED), Subscription.id)),
)
"""`rules.runway.order_of` as the database sorts."""


@dataclass(frozen=True)
class Offer:
    """Everything the confirmation page says about buying a plan for one interval, as it stands now."""

    plan: Plan
    interval: Interval
    quote: Quote
    obstacle: Obstacle | None
    live_id: UUID | None  # the subscription the customer has to this service already
    intent: LaunchIntent | None  # the plan's *pay and launch* that waits for credit
    entry: WaitlistEntry | None  # the customer's place in the plan's queue
    ahead: int  # others who are served before the customer

    def price(self, interval: Interval) -> Money | None:
        return self.plan.price(interval)

    @property
    def saved_yearly(self) -> Money | None:
        """What a year costs less than twelve months; None when it is not sold both ways or saves nothing."""
        monthly, yearly = self.price(Interval.MONTHLY), self.price(Interval.YEARLY)
        if monthly is None or yearly is None or yearly >= monthly * 12:
            return None
        return monthly * 12 - yearly


def offer(session: Session, customer_id: UUID, plan_id: UUID, interval: str, *, now: datetime) -> Offer:
    """The plan's offer to this customer, in three queries. An interval it is not sold for becomes one it is.

    Raises `PlanNotSold`.
    """
    plan = actions.sold_plan(session, plan_id)
    chosen = _sold_interval(plan, interval)
    balance, live_id, ahead, intent, entry = _standing(session, customer_id, plan)
    quote = _quote(plan, chosen, balance, now=now)
    held = any(one is not None and one.holds_slot for one in (intent, entry))
    slots = rules.slots_for_sale(plan.slots_available, ahead=ahead, held=held)
    obstacle = rules.obstacle(quote, slots_available=slots, has_live_one=live_id is not None)
    return Offer(plan, chosen, quote, obstacle, live_id, intent, entry, ahead)


def _sold_interval(plan: Plan, wanted: str) -> Interval:
    sold = [interval for interval in Interval if plan.price(interval) is not None]
    if not sold:
        raise PlanNotSold
    return next((interval for interval in sold if interval == wanted), sold[0])


def _standing(
    session: Session, customer_id: UUID, plan: Plan
) -> tuple[Money, UUID | None, int, LaunchIntent | None, WaitlistEntry | None]:
    """The customer's credit (what is set aside for this plan included: buying it gives that back first), their live
    subscription to the plan's service, how many stand before them in the plan's queue, the plan's intent that waits,
    and their place in the queue."""
    live = select(Subscription.id).where(
        Subscription.customer_id == customer_id,
        Subscription.service_id == plan.service_id,
        Subscription.status.not_in(ENDED),
    )
    waits = and_(
        LaunchIntent.customer_id == customer_id,
        LaunchIntent.plan_id == plan.id,
        LaunchIntent.status == IntentStatus.WAITING,
    )
    in_line = and_(
        WaitlistEntry.customer_id == customer_id,
        WaitlistEntry.plan_id == plan.id,
        WaitlistEntry.status.in_(IN_LINE),
    )
    figures = available_amount(customer_id), live.scalar_subquery(), queues.ahead_of(customer_id, plan.id)
    statement = (
        select(*figures, LaunchIntent, WaitlistEntry)
        .select_from(Customer)
        .outerjoin(LaunchIntent, waits)
        .outerjoin(WaitlistEntry, in_line)
        .where(Customer.id == customer_id)
        .execution_options(populate_existing=True)
    )
    balance, live_id, ahead, intent, entry = session.execute(statement).one()
    return rupiah(balance + (entry.held if entry else 0)), live_id, ahead, intent, entry


def _quote(plan: Plan, interval: Interval, balance: Money, *, now: datetime) -> Quote:
    """What `actions.subscribe` would charge and book: the same price, setup fee, PPN and period."""
    price = plan.price(interval)
    assert price is not None, "an interval the plan is sold for"
    setup_fee = Money(plan.setup_fee, price.currency)
    return Quote(
        price=price,
        setup_fee=setup_fee,
        ppn=Money(split_price((price + setup_fee).amount).ppn, price.currency),
        balance=balance,
        period_ends_at=rules.period_end(now, interval, anchor_day=today(now).day),
    )


@dataclass(frozen=True)
class SubscriptionPage:
    """One page of the customer's subscriptions, live ones first, with the apps that run for them."""

    subscriptions: list[Subscription]
    instances: dict[UUID, list[Instance]]  # by subscription
    number: int
    pages: int

    @property
    def live(self) -> int:
        """How many of those shown have not ended."""
        return sum(one.live for one in self.subscriptions)


def subscription_page(session: Session, customer_id: UUID, *, number: int) -> SubscriptionPage:
    """Page `number`, counted from 1, in two queries; live ones first, in the order in which one credit keeps them
    alive. A page past the end is empty."""
    statement = (
        select(Subscription, func.count().over())
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .where(Subscription.customer_id == customer_id)
        .order_by(Subscription.status.in_(ENDED), *KEPT_ALIVE_FIRST, Subscription.created_at.desc())
    )
    rows = session.execute(statement.offset((number - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all()
    found = [row[0] for row in rows]
    pages = max(1, -(-(rows[0][1] if rows else 0) // PAGE_SIZE))
    return SubscriptionPage(found, instances_of(session, [one.id for one in found]), number, pages)


def instances_of(session: Session, subscription_ids: list[UUID]) -> dict[UUID, list[Instance]]:
    """What runs, or is being removed, per subscription."""
    found: dict[UUID, list[Instance]] = {subscription_id: [] for subscription_id in subscription_ids}
    if not found:
        return found
    statement = select(Instance).where(Instance.subscription_id.in_(subscription_ids)).order_by(Instance.id)
    for instance in session.scalars(statement.execution_options(populate_existing=True)):
        found[instance.subscription_id].append(instance)
    return found


@dataclass(frozen=True)
class ChargeLine:
    """A charge with its invoice and credit notes: none for a free period, no number yet while one is being issued."""

    charge: SubscriptionCharge
    documents: list[Document]


def charges_of(session: Session, subscription_id: UUID) -> list[ChargeLine]:
    """What a subscription was charged, newest first, with its documents."""
    newest = (
        select(SubscriptionCharge.id)
        .where(SubscriptionCharge.subscription_id == subscription_id)
        .order_by(SubscriptionCharge.charged_at.desc(), SubscriptionCharge.id.desc())
        .limit(CHARGES_SHOWN_MAX)
    )
    return _with_documents(session, SubscriptionCharge.id.in_(newest))


def _with_documents(session: Session, wanted: ColumnElement[bool]) -> list[ChargeLine]:
    """Charges, newest first, each with its invoice and the credit notes that correct it, oldest first."""
    invoice = aliased(Document)
    of_charge = and_(
        invoice.reference_kind == "subscription_charge",
        invoice.reference_id == SubscriptionCharge.id,
        invoice.series == Series.INVOICE,
    )
    statement = (
        select(SubscriptionCharge, Document)
        .outerjoin(invoice, of_charge)
        .outerjoin(Document, or_(Document.id == invoice.id, Document.corrects_id == invoice.id))
        .where(wanted)
        .order_by(SubscriptionCharge.charged_at.desc(), SubscriptionCharge.id.desc())
        .order_by(Document.created_at, Document.id)
    )
    lines: dict[UUID, ChargeLine] = {}
    for charge, document in session.execute(statement):
        line = lines.setdefault(charge.id, ChargeLine(charge, []))
        line.documents.extend([document] if document is not None else [])
    return list(lines.values())


def charge_document(
    session: Session, charge_id: UUID, customer_id: UUID, *, series: Series, document_id: UUID | None = None
) -> tuple[UUID, Document | None]:
    """A charge's subscription and its document of `series`: the one named, or its latest. Raises
    `SubscriptionNotFound` for a stranger."""
    statement = (
        select(Subscription.id)
        .join(SubscriptionCharge, Subscription.id == SubscriptionCharge.subscription_id)
        .where(SubscriptionCharge.id == charge_id, Subscription.customer_id == customer_id)
    )
    subscription_id = session.scalar(statement)
    if subscription_id is None:
        raise SubscriptionNotFound
    [line] = _with_documents(session, SubscriptionCharge.id == charge_id)
    of_series = [one for one in line.documents if one.series == series]
    named = [one for one in of_series if one.id == document_id]
    return subscription_id, next(reversed(named or of_series), None)


def first_instance_id(session: Session, subscription_id: UUID) -> UUID:
    """The app that a purchase started."""
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id).order_by(Instance.id)
    return session.scalars(statement.limit(1)).one()


def live_count(session: Session, customer_id: UUID) -> int:
    """How many subscriptions have not ended."""
    statement = select(func.count()).where(Subscription.customer_id == customer_id, Subscription.status.not_in(ENDED))
    return session.scalar(statement.select_from(Subscription)) or 0


def due_soon(session: Session, customer_id: UUID, *, now: datetime) -> Sequence[Subscription]:
    """What renews within `DUE_SOON` or is overdue, the soonest first, with plan and service."""
    statement = (
        select(Subscription)
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .where(Subscription.customer_id == customer_id, _renewing())
        .where(Subscription.period_ends_at <= now + DUE_SOON)
        .order_by(Subscription.period_ends_at, Subscription.id)
    )
    return session.scalars(statement).all()


def runway(session: Session, customer_id: UUID, *, now: datetime) -> Runway | None:
    """How far the credit reaches with everything that renews by itself, in one query; None when nothing does."""
    statement = (
        select(Subscription, available_amount(customer_id))
        .options(joinedload(Subscription.service), joinedload(Subscription.plan))
        .where(Subscription.customer_id == customer_id, Subscription.status.in_(HOLDS_SLOT))
    )
    rows = session.execute(statement).all()
    if not rows:
        return None
    return forecast([row[0] for row in rows], rupiah(rows[0][1]), now=now)


def forecast(subscriptions: Sequence[Subscription], balance: Money, *, now: datetime) -> Runway | None:
    """The runway of subscriptions that are loaded with plan and service; no query of its own."""
    return rules.runway(balance, [_running(one) for one in subscriptions], now=now, terms=terms())


def _renewing() -> ColumnElement[bool]:
    return and_(Subscription.status.in_(HOLDS_SLOT), Subscription.auto_renew)


def _running(subscription: Subscription) -> Running:
    return Running(
        id=subscription.id,
        app=subscription.service.name,
        life=life_of(subscription),
        order=subscription.renewal_order,
        setup_fee=subscription.plan.setup_fee,
    )
