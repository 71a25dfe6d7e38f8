"""Reads of the catalog, for the operator: sold or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from portal.catalog.errors import PlanNotSold, ServiceNotFound
from portal.catalog.models import Category, Plan, Service
from portal.instances.models import Instance
from portal.subscriptions.models import ENDED, Subscription
from portal.web.listings import Listing


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted; None means everything."""

    search: str | None = None
    category: str | None = None
    active: bool | None = None


def listing(wanted: Wanted) -> Listing:
    """Services with their category, plans, subscriptions that have not ended, and slots."""
    of_plans = sa.select(
        Plan.service_id, sa.func.count().label("plans"), sa.func.count().filter(Plan.active).label("sold"),
        sa.func.sum(Plan.slots_total).label("total"), sa.func.sum(Plan.slots_used).label("used"),
    ).group_by(Plan.service_id).subquery()  # fmt: skip
    running = _running(Subscription.service_id).subquery()
    counted = [sa.func.coalesce(of_plans.c[name], 0).label(name) for name in ("plans", "sold", "total", "used")]
    statement: Any = (
        sa.select(Service, Category.name.label("shelf"), *counted, sa.func.coalesce(running.c.many, 0).label("running"))
        .join(Category, Category.id == Service.category_id)
        .outerjoin(of_plans, of_plans.c.service_id == Service.id)
        .outerjoin(running, running.c.of_id == Service.id)
        .where(*_conditions(wanted))
    )
    sorts = {"order": Service.sort_order, "name": sa.func.lower(Service.name)}
    return Listing(statement, Service.id, sorts, default="order")


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.search:
        conditions += [Service.search_text.contains(word, autoescape=True) for word in wanted.search.lower().split()]
    if wanted.category:
        conditions.append(Category.slug == wanted.category)
    if wanted.active is not None:
        conditions.append(Service.active.is_(wanted.active))
    return conditions


def _running(of: Any) -> sa.Select[Any]:
    """How many subscriptions have not ended, by service or by plan."""
    counted = sa.select(of.label("of_id"), sa.func.count().label("many"))
    return counted.where(Subscription.status.not_in(ENDED)).group_by(of)


def categories(session: Session) -> Sequence[Any]:
    """Categories in the catalog's order, each with how many services stand in it."""
    statement = (
        sa.select(Category, sa.func.count(Service.id).label("services"))
        .outerjoin(Service, Service.category_id == Category.id)
        .group_by(Category.id)
        .order_by(Category.sort_order, Category.slug)
    )
    return session.execute(statement.execution_options(populate_existing=True)).all()


def service(session: Session, slug: str) -> Service:
    """A service with its category, all its plans and their prices; raises `ServiceNotFound`."""
    statement = (
        sa.select(Service)
        .where(Service.slug == slug)
        .options(joinedload(Service.category), joinedload(Service.plans).joinedload(Plan.prices))
    )
    found = session.scalars(statement.execution_options(populate_existing=True)).unique().one_or_none()
    if found is None:
        raise ServiceNotFound
    return found


def slugs(session: Session) -> set[str]:
    """Of all services, sold or not."""
    return set(session.scalars(sa.select(Service.slug)))


def plan(session: Session, slug: str, tier: str) -> Plan:
    """A plan with its service and its prices; raises `PlanNotSold`."""
    statement = (
        sa.select(Plan)
        .join(Plan.service)
        .options(joinedload(Plan.service), joinedload(Plan.prices))
        .where(Service.slug == slug, Plan.plan_type == tier)
    )
    found = session.scalars(statement.execution_options(populate_existing=True)).unique().one_or_none()
    if found is None:
        raise PlanNotSold
    return found


def running_by_plan(session: Session, plan_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Subscriptions that have not ended; a plan without any is not in it."""
    statement = _running(Subscription.plan_id).where(Subscription.plan_id.in_(plan_ids))
    return dict(session.execute(statement).tuples().all())


def apps_of_plan(session: Session, of: Plan) -> tuple[int, int]:
    """How many apps run in a plan, and how many of them in another size than the plan has now."""
    other_size = sa.or_(
        Instance.cpu_millicores != of.cpu_millicores,
        Instance.memory_mib != of.memory_mib,
        Instance.storage_gib != of.storage_gib,
    )
    statement = (
        sa.select(sa.func.count(), sa.func.count().filter(other_size))
        .join(Subscription, Subscription.id == Instance.subscription_id)
        .where(Subscription.plan_id == of.id, Instance.fenced_at.is_(None))
    )
    total, differing = session.execute(statement).one()
    return int(total), int(differing)
