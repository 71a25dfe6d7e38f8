"""Writing app templates into the catalog's tables: `flask catalog sync`, and what an operator takes over by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.catalog.app_templates import AppTemplate
from portal.catalog.app_templates import Category as CategoryTemplate
from portal.catalog.app_templates import Plan as PlanTemplate
from portal.catalog.models import CatalogSync, Category, Interval, Plan, PlanPrice, PlanType, Service
from portal.core.ids import new_id

TIERS = list(PlanType)


@dataclass
class SyncReport:
    """What a sync did, by slug."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)


def sync(
    session: Session, templates: Mapping[str, AppTemplate], categories: tuple[CategoryTemplate, ...], *, now: datetime
) -> SyncReport:
    """Writes app templates into the catalog. A repeat with the same templates changes nothing.

    Prices, slots and categories that stand in the catalog belong to the operator after the first sync, and so do the
    texts of a service that was edited by hand and whether it is sold. A changed template updates what the app *is*
    (version, else texts, tags, icon), adds new plans, and never touches the price, the resources or the slots of a
    plan that exists. A service whose template is gone is no longer sold until it is back; running apps stay.
    """
    report = SyncReport()
    shelves = _sync_categories(session, categories)
    known = {row.slug: row for row in session.scalars(select(CatalogSync).with_for_update())}
    for position, (slug, template) in enumerate(sorted(templates.items())):
        if slug in known and known[slug].content_hash == _content_hash(template):
            report.unchanged.append(slug)
            continue
        (report.changed if slug in known else report.added).append(slug)
        sold = {} if slug in known else {"active": True}
        _write_service(session, template, shelves[template.category], position, sold)
        _remember(session, template, now)
    report.withdrawn = _withdraw(session, set(known) - set(templates))
    return report


def refresh(session: Session, template: AppTemplate, *, now: datetime) -> None:
    """Brings a service to its template as it is now, as a sync would; one that is not in the catalog stays out."""
    row = session.execute(select(Service.category_id, Service.sort_order).where(Service.slug == template.slug)).first()
    if row is not None:
        shelf = session.scalar(select(Category.id).where(Category.slug == template.category)) or row.category_id
        _write_service(session, template, shelf, row.sort_order, {})
        _remember(session, template, now)


def put_up(session: Session, template: AppTemplate, category_id: UUID, *, now: datetime) -> None:
    """A new service, after all others and switched off, with the plans of its template."""
    last = session.scalar(select(func.max(Service.sort_order))) or 0
    _write_service(session, template, category_id, last + 1, {"active": False})
    _remember(session, template, now)


def _content_hash(template: AppTemplate) -> str:
    return hashlib.sha256(template.model_dump_json().encode()).hexdigest()


def _sync_categories(session: Session, categories: tuple[CategoryTemplate, ...]) -> dict[str, UUID]:
    """Adds those that are missing: the names and the order of the others are the operator's."""
    for position, category in enumerate(categories):
        values = {"slug": category.slug, "name": category.name.model_dump(), "sort_order": position}
        session.execute(upsert(Category).values(id=new_id(), **values).on_conflict_do_nothing(index_elements=["slug"]))
    return dict(session.execute(select(Category.slug, Category.id)).tuples().all())


def _write_service(
    session: Session, template: AppTemplate, category_id: UUID, position: int, sold: dict[str, bool]
) -> None:
    """`sold` says whether the service is on sale; empty leaves that as it is."""
    facts = {"version": template.version, "icon": f"apps/{template.icon}", **sold}
    texts = _texts(template, category_id)
    statement = upsert(Service).values(id=new_id(), slug=template.slug, sort_order=position, **texts, **facts)
    service_id = session.scalars(
        statement.on_conflict_do_update(index_elements=["slug"], set_=facts).returning(Service.id)
    ).one()
    session.execute(update(Service).where(Service.id == service_id, Service.edited_at.is_(None)).values(**texts))
    for plan in template.plans:
        _add_plan(session, service_id, plan)


def _texts(template: AppTemplate, category_id: UUID) -> dict[str, Any]:
    """What is the operator's once it was edited by hand."""
    return {
        "category_id": category_id,
        "name": template.name,
        "description": template.tagline.model_dump(),
        "long_description": template.description.model_dump(),
        "documentation_url": template.documentation,
        "tags": list(template.tags),
        "search_text": search_text(
            template.name, template.slug, template.category, *template.tags,
            *template.tagline.model_dump().values(), *template.description.model_dump().values(),
        ),
        "featured": template.featured,
    }  # fmt: skip


def search_text(*texts: str) -> str:
    """What the catalog's search looks through."""
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


def _remember(session: Session, template: AppTemplate, now: datetime) -> None:
    values = {"content_hash": _content_hash(template), "synced_at": now}
    statement = upsert(CatalogSync).values(slug=template.slug, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=values))


def _withdraw(session: Session, slugs: set[str]) -> list[str]:
    """Forgets their templates too: one that comes back is new, and sold again."""
    session.execute(delete(CatalogSync).where(CatalogSync.slug.in_(slugs)))
    statement = update(Service).where(Service.slug.in_(slugs), Service.active).values(active=False)
    return sorted(session.scalars(statement.returning(Service.slug)))
