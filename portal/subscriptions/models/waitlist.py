"""The waitlist of a plan whose slots are all taken."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.catalog.models import Interval, Plan
from portal.core.db import Base, Identified


class WaitlistStatus(StrEnum):
    WAITING = "WAITING"
    OFFERED = "OFFERED"  # a slot is held for it until `offer_ends_at`
    SERVED = "SERVED"  # subscribed or resumed
    MISSED = "MISSED"  # the offer ran out
    LEFT = "LEFT"  # at the customer's word, or because it can no longer be served (`failure_code`)


IN_LINE = (WaitlistStatus.WAITING, WaitlistStatus.OFFERED)


class WaitlistEntry(Identified, Base):
    """A customer's place in the queue for a plan. Those who wait to resume a suspended app go first.

    With `automatic` the price is set aside in the wallet (`held`), and a free slot subscribes without asking.
    """

    __tablename__ = "waitlist_entry"
    __table_args__ = (
        Index(
            "uq_waitlist_entry_open",
            "customer_id",
            "plan_id",
            unique=True,
            postgresql_where=text("status IN ('WAITING', 'OFFERED')"),
        ),
        Index(
            "ix_waitlist_entry_queue",
            "plan_id",
            "resumes_id",
            "joined_at",
            postgresql_where=text("status IN ('WAITING', 'OFFERED')"),
        ),
        CheckConstraint("(status = 'OFFERED') <= (offer_ends_at IS NOT NULL)", name="offer"),
        CheckConstraint("held >= 0 AND (automatic OR held = 0)", name="held"),
        CheckConstraint("held = 0 OR status IN ('WAITING', 'OFFERED')", name="held_while_open"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    interval: Mapped[str] = mapped_column(String(10), default=Interval.MONTHLY)
    status: Mapped[str] = mapped_column(String(10), default=WaitlistStatus.WAITING)
    resumes_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))  # suspended, waits for its slot
    automatic: Mapped[bool] = mapped_column(default=False)
    agreed_total: Mapped[int] = mapped_column(default=0)  # as shown when the customer agreed
    held: Mapped[int] = mapped_column(default=0)  # rupiah set aside in the wallet
    joined_at: Mapped[datetime]
    offered_at: Mapped[datetime | None]
    offer_ends_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription.id"))
    failure_code: Mapped[str | None] = mapped_column(String(60))

    plan: Mapped[Plan] = relationship(lazy="raise")

    @property
    def open(self) -> bool:
        return self.status in IN_LINE

    @property
    def holds_slot(self) -> bool:
        return self.status == WaitlistStatus.OFFERED
