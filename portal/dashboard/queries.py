"""Reads shaped for the customer's home page and for the chip every signed-in page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import g
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer, User
from portal.catalog.models import Plan
from portal.core.money import Money, rupiah
from portal.instances.models import Instance, InstanceState
from portal.notices.models import Notice
from portal.payments.models import Payment, PaymentStatus
from portal.subscriptions import rules
from portal.subscriptions.models import ENDED, IN_LINE, Subscription, WaitlistEntry
from portal.subscriptions.queries import DUE_SOON, forecast
from portal.subscriptions.rules.choices import IN_PERIOD
from portal.subscriptions.rules.life import amount_due, life_of
from portal.subscriptions.rules.runway import order_of
from portal.subscriptions.standing import WAITS_FOR_CREDIT
from portal.wallet.models import AccountKind, LedgerAccount, Transaction

ACTIVITY_MAX = 6
UNFINISHED = (InstanceState.PENDING, InstanceState.PROVISIONING)


@dataclass(frozen=True)
class Chip:
    """What stands at the top of every signed-in page."""

    balance: Money
    unread: int
    held: Money  # set aside, not part of the balance


def chip(session: Session, user: User) -> Chip | None:
    """Balance and unread notices in one query; None for a user without a customer."""
    customer = g.get("customer")
    if customer is None:
        return None
    balance, held = (
        select(LedgerAccount.balance)
        .where(LedgerAccount.customer_id == customer.id, LedgerAccount.kind == kind)
        .scalar_subquery()
        for kind in (AccountKind.AVAILABLE, AccountKind.HELD)
    )
    unread = select(func.count()).where(Notice.customer_id == customer.id, Notice.read_at.is_(None)).scalar_subquery()
    row = session.execute(select(balance, unread, held)).one()
    return Chip(rupiah(row[0] or 0), row[1], rupiah(row[2] or 0))


@dataclass(frozen=True)
class Running:
    """A subscription with the app that runs under it; the app is None between purchase and its first row."""

    subscription: Subscription
    instance: Instance | None

    @property
    def unfinished(self) -> bool:
        return self.instance is not None and self.instance.state in UNFINISHED


def apps(session: Session, customer_id: UUID) -> list[Running]:
    """What the customer has: live subscriptions, and apps that are not yet cleaned up; newest first. One query."""
    statement = (
        select(Subscription, Instance)
        .outerjoin(Instance, Instance.subscription_id == Subscription.id)
        .options(joinedload(Subscription.service), joinedload(Subscription.plan))
        .where(
            Subscription.customer_id == customer_id,
            or_(Subscription.status.not_in(ENDED), Instance.cleaned_up_at.is_(None) & Instance.id.is_not(None)),
        )
        .order_by(Subscription.created_at.desc(), Subscription.id.desc())
    )
    return [Running(subscription, instance) for subscription, instance in session.execute(statement)]


@dataclass(frozen=True)
class Due:
    """A subscription whose period ends soon, and what the next one costs."""

    subscription: Subscription
    amount: Money


def due_soon(running: Sequence[Running], *, now: datetime) -> list[Due]:
    """What renews, or ends, within days: nearest first."""
    near = [s for s in _subscriptions(running) if s.status in IN_PERIOD and s.period_ends_at <= now + DUE_SOON]
    return [Due(s, _next_amount(s)) for s in sorted(near, key=lambda s: s.period_ends_at)]


def unpaid(running: Sequence[Running]) -> list[Due]:
    """What is overdue or suspended, in the order in which one credit pays it."""
    waiting = [s for s in _subscriptions(running) if s.status in WAITS_FOR_CREDIT]
    return [Due(s, _next_amount(s)) for s in sorted(waiting, key=order_of)]


def _next_amount(subscription: Subscription) -> Money:
    setup_fee = subscription.plan.setup_fee if subscription.period_number == 0 else 0
    return rupiah(amount_due(life_of(subscription), setup_fee=setup_fee))


def runway(running: Sequence[Running], balance: Money, *, now: datetime) -> rules.Runway | None:
    """How far the credit reaches with everything that renews by itself; no query of its own."""
    return forecast(_subscriptions(running), balance, now=now)


def _subscriptions(running: Sequence[Running]) -> list[Subscription]:
    """Each once, however many apps run under it."""
    return list({item.subscription.id: item.subscription for item in running}.values())


def pending(session: Session, customer_id: UUID) -> tuple[list[Payment], list[WaitlistEntry]]:
    """Top-ups that still wait for money or for our check, newest first, and places in queues, open offers first, with
    plan and service. One query."""
    waiting = (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.IN_REVIEW)
    in_line = and_(WaitlistEntry.customer_id == Customer.id, WaitlistEntry.status.in_(IN_LINE))
    statement = (
        select(Payment, WaitlistEntry)
        .select_from(Customer)
        .outerjoin(Payment, and_(Payment.customer_id == Customer.id, Payment.status.in_(waiting)))
        .outerjoin(WaitlistEntry, in_line)
        .options(joinedload(WaitlistEntry.plan).joinedload(Plan.service))
        .where(Customer.id == customer_id)
        .order_by(Payment.created_at.desc(), WaitlistEntry.offer_ends_at, WaitlistEntry.joined_at)
    )
    rows = session.execute(statement).all()
    payments = {payment.id: payment for payment, _ in rows if payment}
    places = {entry.id: entry for _, entry in rows if entry}
    return list(payments.values()), list(places.values())


def activity(session: Session, customer_id: UUID) -> Sequence[Transaction]:
    """The latest lines of the wallet."""
    statement = select(Transaction).where(Transaction.customer_id == customer_id)
    newest = statement.order_by(Transaction.created_at.desc(), Transaction.id.desc())
    return session.scalars(newest.limit(ACTIVITY_MAX)).all()
