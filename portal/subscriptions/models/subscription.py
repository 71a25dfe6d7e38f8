"""Subscriptions, what they were charged, every try to renew them, and who had a trial."""

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


class SuspendReason(StrEnum):
    UNPAID = "UNPAID"  # grace has passed; any credit that covers the price resumes it
    NOT_RENEWED = "NOT_RENEWED"  # auto-renew was off: only the customer's own word resumes it
    TRIAL_ENDED = "TRIAL_ENDED"  # no credit at the trial's end: likewise


class EndReason(StrEnum):
    PROVISIONING_FAILED = "provisioning_failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    NOT_RESUMED = "not_resumed"  # suspended until its data's time was up


class Subscription(Identified, Base):
    """A customer's running purchase of a plan; at most one live one per customer and service.

    `due_at` is when time next changes it (`rules.life.next_step`): the end of a period or trial, a retry in grace,
    the last warning and the end of a suspension. The renewal run claims what is due; nothing else watches the clock.
    """

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
        CheckConstraint("next_price >= 0", name="next_price"),
        CheckConstraint("(next_price IS NULL) = (next_price_from IS NULL)", name="next_price_has_a_day"),
        CheckConstraint("(status IN ('CANCELLED', 'EXPIRED')) = (ended_at IS NOT NULL)", name="ended"),
        CheckConstraint("(status IN ('CANCELLED', 'EXPIRED')) = (due_at IS NULL)", name="live_is_due_some_day"),
        CheckConstraint("(status = 'PAST_DUE') = (grace_ends_at IS NOT NULL)", name="grace"),
        CheckConstraint("(status = 'SUSPENDED') <= (data_kept_until IS NOT NULL)", name="data_kept"),
        CheckConstraint("status NOT IN ('TRIALING', 'ACTIVE', 'PAST_DUE') OR holds_slot", name="holds_its_slot"),
        CheckConstraint("status <> 'SUSPENDED' OR NOT holds_slot", name="suspended_holds_none"),
        Index("ix_subscription_plan_id", "plan_id"),
        Index("ix_subscription_customer_id", "customer_id"),
        Index("ix_subscription_created_at", "created_at", "id"),
        Index("ix_subscription_status_created_at", "status", "created_at", "id"),
        Index("ix_subscription_service_id_created_at", "service_id", "created_at", "id"),
        Index("ix_subscription_period_ends_at", "period_ends_at", "id"),
        Index("ix_subscription_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_subscription_remind_at", "remind_at", postgresql_where=text("remind_at IS NOT NULL")),
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
    period_number: Mapped[int] = mapped_column(default=1)  # 0: the trial
    period_started_at: Mapped[datetime]
    period_ends_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]  # when the next reminder of the coming renewal goes out
    holds_slot: Mapped[bool] = mapped_column(default=True)
    auto_renew: Mapped[bool] = mapped_column(default=True)
    renewal_order: Mapped[int | None]  # "keep alive first": lower is paid first; None: after all that have one
    cancel_requested_at: Mapped[datetime | None]  # ends at the period's end, until then it may be undone
    next_price: Mapped[int | None]  # announced by the operator; applies to periods that begin at `next_price_from`
    next_price_from: Mapped[datetime | None]
    grace_ends_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    suspend_reason: Mapped[str | None] = mapped_column(String(40))  # a SuspendReason
    data_kept_until: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]  # the last warning before a suspended app's data goes
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(40))  # an EndReason
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
    RESUMPTION = "RESUMPTION"
    UPGRADE = "UPGRADE"
    IMPORTED = "IMPORTED"  # the running period of a subscription that was taken over: paid elsewhere, so zero here


OF_PERIOD = (ChargeKind.FIRST, ChargeKind.RENEWAL, ChargeKind.RESUMPTION, ChargeKind.IMPORTED)
"""A period is charged once, by one of these; upgrades within it come on top."""


class SubscriptionCharge(Identified, Base):
    """What a subscription was charged: once per period, and once per upgrade; its refund is noted here."""

    __tablename__ = "subscription_charge"
    __table_args__ = (
        Index(
            "uq_subscription_charge_period",
            "subscription_id",
            "period_number",
            unique=True,
            postgresql_where=text("kind <> 'UPGRADE'"),
        ),
        Index("ix_subscription_charge_subscription_id", "subscription_id"),
        Index("ix_subscription_charge_charged_at", "charged_at", "id"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded"),
        CheckConstraint("kind <> 'IMPORTED' OR amount = 0", name="imported_is_free"),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    period_number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]  # price and setup fee together, PPN included
    setup_fee: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("journal_entry.id"))  # None: nothing to pay
    refunded: Mapped[int] = mapped_column(default=0)
    charged_at: Mapped[datetime]


class AttemptOutcome(StrEnum):
    PAID = "PAID"
    SHORT = "SHORT"  # not enough credit
    NO_SLOT = "NO_SLOT"  # a resumption found none free
    FAILED = "FAILED"  # our own fault: tried again, the reason in the log


class RenewalAttempt(Identified, Base):
    """One try to charge a period, whatever came of it."""

    __tablename__ = "renewal_attempt"
    __table_args__ = (
        Index("ix_renewal_attempt_subscription_id", "subscription_id", "attempted_at"),
        Index("ix_renewal_attempt_short", "attempted_at", postgresql_where=text("outcome = 'SHORT'")),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    period_number: Mapped[int]  # the period that was to be paid
    outcome: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    missing: Mapped[int] = mapped_column(default=0)  # rupiah that were missing
    attempted_at: Mapped[datetime]


class TrialClaim(Base):
    """Who had a trial of a service: digests of the normalised e-mail and phone. It outlives everything."""

    __tablename__ = "trial_claim"

    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.id"), primary_key=True)
    identity_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    claimed_at: Mapped[datetime]
