"""Promo codes, who redeemed them, and the people who may not redeem one again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified
from portal.core.money import Money


class PromoCode(Identified, Base):
    """Gives `amount` of credit to who redeems it, `redemptions_max` times at most, from `starts_at` until `ends_at`."""

    __tablename__ = "promo_code"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("code ~ '^[A-Z0-9][A-Z0-9-]{2,23}$'", name="code"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("redemptions BETWEEN 0 AND redemptions_max", name="redemptions"),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index("ix_promo_code_created_at", "created_at", "id"),
    )

    code: Mapped[str] = mapped_column(String(24))  # as `rules.normal_code` writes it
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    note: Mapped[str] = mapped_column(String(200), default="")  # what it is for; customers never see it
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]  # None: until it is used up or switched off
    redemptions_max: Mapped[int]
    redemptions: Mapped[int] = mapped_column(default=0)
    newcomers_only: Mapped[bool] = mapped_column(default=False)  # who has never had credit of their own
    active: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class PromoRedemption(Identified, Base):
    """A code redeemed by a customer: once, with the entry that gave the credit."""

    __tablename__ = "promo_redemption"
    __table_args__ = (
        UniqueConstraint("promo_code_id", "customer_id"),
        UniqueConstraint("entry_id"),
        Index("ix_promo_redemption_promo_code_id_redeemed_at", "promo_code_id", "redeemed_at", "id"),
        Index("ix_promo_redemption_customer_id", "customer_id"),
    )

    promo_code_id: Mapped[UUID] = mapped_column(ForeignKey("promo_code.id"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("journal_entry.id"))
    redeemed_at: Mapped[datetime]


class PromoClaim(Base):
    """Who had a code: digests of the normalised e-mail and phone. It outlives accounts."""

    __tablename__ = "promo_claim"

    promo_code_id: Mapped[UUID] = mapped_column(ForeignKey("promo_code.id"), primary_key=True)
    identity_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    claimed_at: Mapped[datetime]
