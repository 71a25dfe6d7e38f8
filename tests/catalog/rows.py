"""Rows of a small catalog, made by hand: one category per name, services with plans, prices and slots."""

from __future__ import annotations

from portal.catalog.models import Category, Interval, Plan, PlanPrice, Service
from portal.core.db import transaction


def category(slug: str, english: str) -> Category:
    with transaction() as session:
        row = Category(slug=slug, name={"en": english, "id": f"{english} (id)"})
        session.add(row)
    return row


def service(shelf: Category, slug: str, name: str, *, tags: tuple[str, ...] = (), **columns: object) -> Service:
    with transaction() as session:
        row = Service(
            category_id=shelf.id,
            slug=slug,
            name=name,
            description={"en": f"{name} in short", "id": f"{name} singkat"},
            long_description={"en": f"{name} at length", "id": f"{name} panjang"},
            icon="apps/n8n.svg",
            version="1.0",
            tags=list(tags),
            search_text=" ".join([slug, name, *tags]).lower(),
            **columns,
        )
        session.add(row)
    return row


def plan(of: Service, tier: str, monthly: int | None, *, slots: int = 10, used: int = 0, **columns: object) -> Plan:
    with transaction() as session:
        row = Plan(
            service_id=of.id,
            plan_type=tier,
            name=tier.title(),
            cpu_millicores=500,
            memory_mib=768,
            storage_gib=5,
            slots_total=slots,
            slots_used=used,
            **columns,
        )
        session.add(row)
        session.flush()
        if monthly is not None:
            prices = {Interval.MONTHLY: monthly, Interval.YEARLY: monthly * 10}
            session.add_all(PlanPrice(plan_id=row.id, interval=i, amount=a) for i, a in prices.items())
    return row
