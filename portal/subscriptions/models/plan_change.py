"""Changes of plan: an upgrade to a higher tier, or from monthly to yearly."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.catalog.models import Plan
from portal.core.db import Base, Identified
from portal.core.money import Money


class PlanChangeStatus(StrEnum):
    QUOTED = "QUOTED"  # a price the customer sees; takes nothing
    RESIZING = "RESIZING"  # charged, the new slot taken; the cluster is being changed
    ROLLING_BACK = "ROLLING_BACK"  # refunded; the cluster goes back to the old plan
    DONE = "DONE"
    ROLLED_BACK = "ROLLED_BACK"
    LAPSED = "LAPSED"  # a quote that was not taken


UNDER_WAY = (PlanChangeStatus.RESIZING, PlanChangeStatus.ROLLING_BACK)
"""Holds a slot of both plans."""


class PlanChange(Identified, Base):
    """A quoted change, and once confirmed the saga that carries it out. The quoted total is the charged total."""

    __tablename__ = "plan_change"
    __table_args__ = (
        Index(
            "uq_plan_change_under_way",
            "subscription_id",
            unique=True,
            postgresql_where=text("status IN ('RESIZING', 'ROLLING_BACK')"),
        ),
        Index("ix_plan_change_subscription_id", "subscription_id"),
        CheckConstraint("total >= 0", name="total"),
        CheckConstraint("total = greatest(cost - unused_value, 0)", name="adds_up"),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscription.id"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    from_plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    to_plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    from_interval: Mapped[str] = mapped_column(String(10))
    to_interval: Mapped[str] = mapped_column(String(10))
    from_price: Mapped[int]
    to_price: Mapped[int]  # per interval of the new plan, PPN included
    unused_value: Mapped[int]  # what is left of the running period, at the old price
    cost: Mapped[int]  # the new plan for the rest of the period, or for a whole new one
    total: Mapped[int]  # what is charged
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    period_number: Mapped[int]  # quoted in this period: another one makes the quote void
    period_started_at: Mapped[datetime]  # of the period as it is after the change
    period_ends_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(15), default=PlanChangeStatus.QUOTED)
    quoted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    volumes_at: Mapped[datetime | None]  # every app runs in its new size; from then on the volumes grow
    ended_at: Mapped[datetime | None]
    charge_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription_charge.id"))
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # subscription and apps, for the way back
    failure_code: Mapped[str | None] = mapped_column(String(60))

    from_plan: Mapped[Plan] = relationship(foreign_keys=[from_plan_id], lazy="raise")
    to_plan: Mapped[Plan] = relationship(foreign_keys=[to_plan_id], lazy="raise")

    @property
    def total_money(self) -> Money:
        return Money(self.total, self.currency)
