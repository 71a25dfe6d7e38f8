"""The verbs of the catalog: slots, and writing app templates into the tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.catalog.app_templates import AppTemplate
from portal.catalog.app_templates import Category as CategoryTemplate
from portal.catalog.app_templates import Plan as PlanTemplate
from portal.catalog.errors import QuotaExceeded, SlotsInUse
from portal.catalog.models import CatalogSync, Category, Interval, Plan, PlanPrice, PlanType, Service
from portal.core import events
from portal.core.ids import new_id

TIERS = list(PlanType)


def take_slot(session: Session, plan_id: UUID, *, still_sold: bool = True) -> None:
    """Takes one slot in one conditional statement, so that no concurrency oversells; raises `QuotaExceeded`.

    A plan that is no longer sold has slots only for those who come back to it (`still_sold=False`).
    """
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used < Plan.slots_total)
    if still_sold:
        statement = statement.where(Plan.active)
    if not _moved_one(session, statement.values(slots_used=Plan.slots_used + 1)):
        raise QuotaExceeded


def free_slot(session: Session, plan_id: UUID) -> None:
    """Gives one slot back and records `slot.freed`. The caller proves, by a state it changes, that it is due."""
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used > 0)
    moved = _moved_one(session, statement.values(slots_used=Plan.slots_used - 1))
    assert moved, "a slot is freed by its holder only"
    events.record(session, "slot.freed", plan_id=plan_id)


def set_slots(session: Session, plan_id: UUID, total: int) -> None:
    """Sets how many slots a plan has; more of them are offered to who waits. Raises `SlotsInUse` below what is used."""
    statement = update(Plan).where(Plan.id == plan_id, Plan.slots_used <= total)
    if not _moved_one(session, statement.values(slots_total=total)):
        raise SlotsInUse
    events.record(session, "slot.freed", plan_id=plan_id)


def _moved_one(session: Session, statement: Any) -> bool:
    return session.execute(statement.execution_options(synchronize_session=False)).rowcount == 1  # type: ignore[attr-defined]


def set_price(session: Session, plan_id: UUID, interval: str, amount: int) -> None:
    """What new customers pay from now on; a way of paying that was not sold before is sold then."""
    values = {"id": new_id(), "plan_id": plan_id, "interval": interval, "amount": amount, "active": True}
    statement = upsert(PlanPrice).values(values)
    changed = {"amount": amount, "active": True}
    session.execute(statement.on_conflict_do_update(index_elements=["plan_id", "currency", "interval"], set_=changed))


@dataclass
class SyncReport:
    """What a sync did, by slug."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)


def sync(
    session: Session, templates: dict[str, AppTemplate], categories: tuple[CategoryTemplate, ...], *, now: datetime
) -> SyncReport:
    """Writes app templates into the catalog. A repeat with the same files changes nothing.

    Prices, slots and texts that stand in the catalog belong to the operator after the first sync: a changed file
    updates what the app *is* (version, texts, tags, icon), adds new plans, and never touches the price, the resources
    or the slots of a plan that exists. A service whose file is gone is no longer sold; running apps stay.
    """
    report = SyncReport()
    shelves = _sync_categories(session, categories)
    known = {row.slug: row for row in session.scalars(select(CatalogSync).with_for_update())}
    for position, (slug, template) in enumerate(sorted(templates.items())):
        content_hash = _content_hash(template)
        if slug in known and known[slug].content_hash == content_hash:
            report.unchanged.append(slug)
            continue
        (report.changed if slug in known else report.added).append(slug)
        _sync_service(session, template, shelves[template.category], position)
        _remember(session, slug, content_hash, now)
    report.withdrawn = _withdraw(session, set(known) - set(templates))
    return report


def _content_hash(template: AppTemplate) -> str:
    return hashlib.sha256(template.model_dump_json().encode()).hexdigest()


def _sync_categories(session: Session, categories: tuple[CategoryTemplate, ...]) -> dict[str, UUID]:
    for position, category in enumerate(categories):
        values = {"slug": category.slug, "name": category.name.model_dump(), "sort_order": position}
        statement = upsert(Category).values(id=new_id(), **values)
        session.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=values))
    return dict(session.execute(select(Category.slug, Category.id)).tuples().all())


def _sync_service(session: Session, template: AppTemplate, category_id: UUID, position: int) -> None:
    values = {
        "category_id": category_id,
        "name": template.name,
        "description": template.tagline.model_dump(),
        "long_description": template.description.model_dump(),
        "icon": f"apps/{template.icon}",
        "version": template.version,
        "documentation_url": template.documentation,
        "tags": list(template.tags),
        "search_text": _search_text(template),
        "featured": template.featured,
        "active": True,
    }
    statement = upsert(Service).values(id=new_id(), slug=template.slug, sort_order=position, **values)
    statement = statement.on_conflict_do_update(index_elements=["slug"], set_=values)
    service_id = session.scalars(statement.returning(Service.id)).one()
    for plan in template.plans:
        _add_plan(session, service_id, plan)


def _search_text(template: AppTemplate) -> str:
    texts = [template.name, template.slug, template.category, *template.tags]
    for localized in (template.tagline, template.description):
        texts += [localized.en, localized.id]
    return " ".join(texts).lower()


def _add_plan(session: Session, service_id: UUID, plan: PlanTemplate) -> None:
    """Adds a plan with its prices; one that exists is left as the operator has it."""
    values = {
        "id": new_id(),
        "service_id": service_id,
        "plan_type": plan.type,
        "name": plan.type.title(),
        "cpu_millicores": plan.cpu_millicores,
        "memory_mib": plan.memory_mib,
        "storage_gib": plan.storage_gib,
        "bandwidth_gib": plan.bandwidth_gib,
        "setup_fee": plan.setup_fee,
        "slots_total": plan.slots_total,
        "slots_used": 0,
        "max_instances": plan.max_instances,
        "max_domains": plan.max_domains,
        "trial_days": plan.trial_days,
        "features": [feature.model_dump() for feature in plan.features],
        "popular": plan.popular,
        "active": True,
        "sort_order": TIERS.index(PlanType(plan.type)),
    }
    statement = upsert(Plan).values(values).on_conflict_do_nothing(index_elements=["service_id", "plan_type"])
    plan_id = session.scalar(statement.returning(Plan.id))
    if plan_id is not None:
        prices = {Interval.MONTHLY: plan.monthly_price, Interval.YEARLY: plan.yearly_price}
        session.add_all(
            PlanPrice(plan_id=plan_id, interval=interval, amount=amount) for interval, amount in prices.items()
        )


def _remember(session: Session, slug: str, content_hash: str, now: datetime) -> None:
    values = {"content_hash": content_hash, "synced_at": now}
    statement = upsert(CatalogSync).values(slug=slug, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=values))


def _withdraw(session: Session, slugs: set[str]) -> list[str]:
    statement = update(Service).where(Service.slug.in_(slugs), Service.active).values(active=False)
    return sorted(session.scalars(statement.returning(Service.slug)))
