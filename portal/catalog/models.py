"""Categories, services, plans with their prices, and slots."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Identified
from portal.core.money import Money


class PlanType(StrEnum):
    """Tiers, lowest first; an upgrade goes up this list."""

    FREE = "FREE"
    BASIC = "BASIC"
    PRO = "PRO"
    PREMIUM = "PREMIUM"
    ENTERPRISE = "ENTERPRISE"


class Interval(StrEnum):
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class Category(Identified, Base):
    __tablename__ = "category"

    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[dict[str, str]] = mapped_column(JSONB)  # by language: {"en": …, "id": …}
    sort_order: Mapped[int] = mapped_column(default=0)


class Service(Identified, Base):
    """An app for sale. Texts are by language; what runs comes from the app template of the same slug."""

    __tablename__ = "service"

    category_id: Mapped[UUID] = mapped_column(ForeignKey("category.id"), index=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[dict[str, str]] = mapped_column(JSONB)
    long_description: Mapped[dict[str, str]] = mapped_column(JSONB)
    icon: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(60))
    documentation_url: Mapped[str] = mapped_column(String(300), default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list)
    search_text: Mapped[str] = mapped_column(Text, default="")  # lower-case: name, tags and texts
    featured: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    sort_order: Mapped[int] = mapped_column(default=0)
    edited_at: Mapped[datetime | None]  # since then its texts, tags and shelf are the operator's, not its file's

    category: Mapped[Category] = relationship(lazy="raise")
    plans: Mapped[list[Plan]] = relationship(back_populates="service", lazy="raise", order_by="Plan.sort_order")


class Plan(Identified, Base):
    """A tier of a service, with its resources and slots. Slots are taken by one conditional UPDATE."""

    __tablename__ = "plan"
    __table_args__ = (
        UniqueConstraint("service_id", "plan_type"),
        CheckConstraint("slots_used BETWEEN 0 AND slots_total", name="slots"),
    )

    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.id"))
    plan_type: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(60))
    cpu_millicores: Mapped[int]
    memory_mib: Mapped[int]
    storage_gib: Mapped[int]
    bandwidth_gib: Mapped[int] = mapped_column(default=0)
    setup_fee: Mapped[int] = mapped_column(default=0)  # whole rupiah, PPN included
    slots_total: Mapped[int]
    slots_used: Mapped[int] = mapped_column(default=0)
    max_instances: Mapped[int] = mapped_column(default=1)
    max_domains: Mapped[int] = mapped_column(default=1)
    trial_days: Mapped[int] = mapped_column(default=0)  # 0: no trial
    features: Mapped[list[dict[str, str]]] = mapped_column(JSONB, default=list)
    popular: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    sort_order: Mapped[int] = mapped_column(default=0)

    service: Mapped[Service] = relationship(back_populates="plans", lazy="raise")
    prices: Mapped[list[PlanPrice]] = relationship(back_populates="plan", lazy="raise")

    @property
    def slots_available(self) -> int:
        return self.slots_total - self.slots_used

    def price(self, interval: Interval | str) -> Money | None:
        """The price for one interval, PPN included; None when it is not sold that way. Needs `prices` loaded."""
        for row in self.prices:
            if row.interval == interval and row.active:
                return Money(row.amount, row.currency)
        return None


class PlanPrice(Identified, Base):
    """What a plan costs for one interval in one currency, PPN included."""

    __tablename__ = "plan_price"
    __table_args__ = (
        UniqueConstraint("plan_id", "currency", "interval"),
        CheckConstraint("amount >= 0", name="amount"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    interval: Mapped[str] = mapped_column(String(10), default=Interval.MONTHLY)
    amount: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)

    plan: Mapped[Plan] = relationship(back_populates="prices", lazy="raise")


class CatalogSync(Base):
    """Remembers which app template file (by content hash) was last written into the catalog."""

    __tablename__ = "catalog_sync"

    slug: Mapped[str] = mapped_column(String(60), primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    synced_at: Mapped[datetime]


class AppTemplateVersion(Identified, Base):
    """An app template as an operator wrote it. While one of a slug is active it stands in the place of the file."""

    __tablename__ = "app_template_version"
    __table_args__ = (
        UniqueConstraint("slug", "number"),
        Index("uq_app_template_version_active", "slug", unique=True, postgresql_where=text("active")),
    )

    slug: Mapped[str] = mapped_column(String(32))
    number: Mapped[int]  # counts from 1 within a slug
    text: Mapped[str] = mapped_column(Text)  # YAML, as it was checked
    comment: Mapped[str] = mapped_column(String(300), default="")
    written_by: Mapped[UUID | None]  # no foreign key: it outlives accounts
    written_at: Mapped[datetime]
    active: Mapped[bool] = mapped_column(default=False)
