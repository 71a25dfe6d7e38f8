"""Subscriptions, their charges, and intents that wait for credit."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.catalog.models import Interval, Plan, Service
from portal.core.db import Base, Identified
from portal.core.money import Money


class SubscriptionStatus(StrEnum):
    PENDING_PAYMENT = "PENDING_PAYMENT"
    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


ENDED = (SubscriptionStatus.CANCELLED, SubscriptionStatus.EXPIRED)
HOLDS_SLOT = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class Subscription(Identified, Base):
    """A customer's running purchase of a plan; at most one live one per customer and service."""

    __tablename__ = "subscription"
    __table_args__ = (
        Index(
            "uq_subscription_live",
            "customer_id",
            "service_id",
            unique=True,
            postgresql_where=text("status NOT IN ('CANCELLED', 'EXPIRED')"),
        ),
        UniqueConstraint("customer_id", "idempotency_key"),
        CheckConstraint("price >= 0", name="price"),
        Index("ix_subscription_plan_id", "plan_id"),
        Index(
            "ix_subscription_due",
            "period_ends_at",
            postgresql_where=text("status IN ('TRIALING', 'ACTIVE', 'PAST_DUE')"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    status: Mapped[str] = mapped_column(String(20))
    interval: Mapped[str] = mapped_column(String(10), default=Interval.MONTHLY)
    price: Mapped[int]  # per interval, PPN included, as agreed at purchase
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    anchor_day: Mapped[int]  # day of month, Jakarta: 31 stays 31 through shorter months
    started_at: Mapped[datetime]
    period_number: Mapped[int] = mapped_column(default=1)
    period_started_at: Mapped[datetime]
    period_ends_at: Mapped[datetime]
    auto_renew: Mapped[bool] = mapped_column(default=True)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(40))  # provisioning_failed | cancelled | deleted
    idempotency_key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]

    service: Mapped[Service] = relationship(lazy="raise")
    plan: Mapped[Plan] = relationship(lazy="raise")

    @property
    def price_money(self) -> Money:
        return Money(self.price, self.currency)

    @property
    def live(self) -> bool:
        return self.status not in ENDED


class ChargeKind(StrEnum):
    FIRST = "FIRST"
    RENEWAL = "RENEWAL"


class SubscriptionCharge(Identified, Base):
    """The one charge of a subscription's period; its refund, when there was one, is noted here."""

    __tablename__ = "subscription_charge"
    __table_args__ = (
        UniqueConstraint("subscription_id", "period_number"),
        CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded"),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    period_number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]  # price and setup fee together, PPN included
    setup_fee: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("journal_entry.id"))  # None: a free plan
    refunded: Mapped[int] = mapped_column(default=0)
    charged_at: Mapped[datetime]


class IntentStatus(StrEnum):
    WAITING = "WAITING"
    FULFILLED = "FULFILLED"
    FAILED = "FAILED"  # the slot went, or the service is already running: the credit stays
    CANCELLED = "CANCELLED"


class LaunchIntent(Identified, Base):
    """*Pay and launch*: what to subscribe to as soon as the credit arrives."""

    __tablename__ = "launch_intent"
    __table_args__ = (
        Index(
            "uq_launch_intent_waiting",
            "customer_id",
            "plan_id",
            unique=True,
            postgresql_where=text("status = 'WAITING'"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    interval: Mapped[str] = mapped_column(String(10), default=Interval.MONTHLY)
    price: Mapped[int]  # as shown when the customer agreed: a dearer plan is not bought silently
    setup_fee: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(12), default=IntentStatus.WAITING)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment.id"))
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))
    failure_code: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    plan: Mapped[Plan] = relationship(lazy="raise")
