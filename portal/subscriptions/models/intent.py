"""*Pay and launch*: intents that wait for credit."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.catalog.models import Interval, Plan
from portal.core.db import Base, Identified


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
    hold_ends_at: Mapped[datetime | None]  # the slot is held for it until then, while it waits; None: no hold

    plan: Mapped[Plan] = relationship(lazy="raise")

    @property
    def holds_slot(self) -> bool:
        return self.status == IntentStatus.WAITING and self.hold_ends_at is not None
