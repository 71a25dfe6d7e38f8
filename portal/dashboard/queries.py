"""Reads shaped for the customer's home page and for the chip every signed-in page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import g
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import User
from portal.core.money import Money, rupiah
from portal.instances.models import Instance, InstanceState
from portal.notices.models import Notice
from portal.payments.models import Payment, PaymentStatus
from portal.subscriptions import rules
from portal.subscriptions.models import ENDED, Subscription
from portal.subscriptions.queries import DUE_SOON, forecast
from portal.wallet.models import AccountKind, LedgerAccount, Transaction

ACTIVITY_MAX = 6
UNFINISHED = (InstanceState.PENDING, InstanceState.PROVISIONING)


@dataclass(frozen=True)
class Chip:
    """What stands at the top of every signed-in page."""

    balance: Money
    unread: int


def chip(session: Session, user: User) -> Chip | None:
    """Balance and unread notices in one query; None for a user without a customer."""
    customer = g.get("customer")
    if customer is None:
        return None
    balance = (
        select(LedgerAccount.balance)
        .where(LedgerAccount.customer_id == customer.id, LedgerAccount.kind == AccountKind.AVAILABLE)
        .scalar_subquery()
    )
    unread = select(func.count()).where(Notice.customer_id == customer.id, Notice.read_at.is_(None)).scalar_subquery()
    row = session.execute(select(balance, unread)).one()
    return Chip(rupiah(row[0] or 0), row[1])


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


def due_soon(running: Sequence[Running], *, now: datetime) -> list[Subscription]:
    """Live subscriptions whose next charge is near, nearest first."""
    near = [s for s in _subscriptions(running) if s.live and s.period_ends_at <= now + DUE_SOON]
    return sorted(near, key=lambda s: s.period_ends_at)


def runway(running: Sequence[Running], balance: Money, *, now: datetime) -> rules.Runway | None:
    """How far the credit reaches with everything that renews by itself; no query of its own."""
    return forecast(_subscriptions(running), balance, now=now)


def _subscriptions(running: Sequence[Running]) -> list[Subscription]:
    """Each once, however many apps run under it."""
    return list({item.subscription.id: item.subscription for item in running}.values())


def pending_payments(session: Session, customer_id: UUID) -> Sequence[Payment]:
    """Top-ups that still wait for money or for our check, newest first."""
    waiting = (PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.IN_REVIEW)
    statement = select(Payment).where(Payment.customer_id == customer_id, Payment.status.in_(waiting))
    return session.scalars(statement.order_by(Payment.created_at.desc())).all()


def activity(session: Session, customer_id: UUID) -> Sequence[Transaction]:
    """The latest lines of the wallet."""
    statement = select(Transaction).where(Transaction.customer_id == customer_id)
    newest = statement.order_by(Transaction.created_at.desc(), Transaction.id.desc())
    return session.scalars(newest.limit(ACTIVITY_MAX)).all()
