"""Reads shaped for the catalog's pages: at most two queries each, whatever the size of the catalog."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, select, text
from sqlalchemy.orm import Session, joinedload

from portal.catalog.errors import PlanNotSold
from portal.catalog.filters import Filters
from portal.catalog.models import Category, Interval, Plan, PlanPrice, Service
from portal.core.errors import NotFound

FEATURED_MAX = 6
TAGS_SHOWN_MAX = 24
SLUG = re.compile(r"[a-z0-9-]{1,60}")


@dataclass(frozen=True)
class Card:
    """A service as the catalog shows it; `price_from` is the cheapest monthly plan, None when none is on sale."""

    id: UUID
    slug: str
    name: str
    icon: str
    tagline: dict[str, str]
    tags: list[str]
    category: dict[str, str]
    category_slug: str
    category_order: int
    featured: bool
    price_from: int | None
    slots_left: int


@dataclass(frozen=True)
class Shelf:
    """A category with the number of services on it."""

    slug: str
    name: dict[str, str]
    count: int


@dataclass(frozen=True)
class Facets:
    """What the catalog can be narrowed by."""

    shelves: list[Shelf]
    tags: list[str]
    total: int


def cards(session: Session, filters: Filters, *, limit: int | None = None) -> list[Card]:
    """The services that match, featured first; one query."""
    statement = _cards().order_by(Service.featured.desc(), Service.sort_order, Service.name).limit(limit)
    for word in filters.words:
        statement = statement.where(Service.search_text.contains(word, autoescape=True))
    if filters.category:
        statement = statement.where(Category.slug == filters.category)
    if filters.tag:
        statement = statement.where(Service.tags.contains([filters.tag]))
    if filters.price_max:
        statement = statement.having(func.min(PlanPrice.amount) <= filters.price_max)
    if filters.available:
        statement = statement.having(func.sum(Plan.slots_total - Plan.slots_used) > 0)
    return [Card(*row) for row in session.execute(statement)]


def _cards() -> Any:
    monthly = (
        (PlanPrice.plan_id == Plan.id)
        & (PlanPrice.interval == Interval.MONTHLY)
        & (PlanPrice.currency == "IDR")
        & PlanPrice.active
    )
    return (
        select(
            Service.id,
            Service.slug,
            Service.name,
            Service.icon,
            Service.description,
            Service.tags,
            Category.name,
            Category.slug,
            Category.sort_order,
            Service.featured,
            func.min(PlanPrice.amount),
            cast(func.coalesce(func.sum(Plan.slots_total - Plan.slots_used), 0), BigInteger),
        )
        .join(Category, Category.id == Service.category_id)
        .outerjoin(Plan, (Plan.service_id == Service.id) & Plan.active)
        .outerjoin(PlanPrice, monthly)
        .where(Service.active)
        .group_by(Service.id, Category.id)
    )


def facets(everything: Sequence[Card]) -> Facets:
    """Categories that have services, and the most used tags, of all cards; no query of its own."""
    counts = Counter(card.category_slug for card in everything)
    tags = Counter(tag for card in everything for tag in card.tags)
    shelves = sorted(
        {(card.category_order, card.category_slug): card.category for card in everything}.items(), key=itemgetter(0)
    )
    common = sorted(tag for tag, _ in tags.most_common(TAGS_SHOWN_MAX))
    return Facets([Shelf(slug, name, counts[slug]) for (_, slug), name in shelves], common, len(everything))


_STAMP = text(
    """
    SELECT (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM category),
           (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM service),
           (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM plan),
           (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM plan_price),
           (SELECT concat(count(*), '/', sum(xmin::text::bigint)) FROM operational_switch)
    """
)


def stamp(session: Session) -> tuple[str, ...]:
    """Another value after any change of the catalog, of its free slots or of the incident banner; one query.

    A row's `xmin` is the transaction that wrote it and only grows, so with the same number of rows the sum can only
    stay when no row was written. (The greatest would not do: a slow transaction may commit after a younger one.)
    """
    return tuple(session.execute(_STAMP).one())


def featured(session: Session) -> list[Card]:
    """The cards of the home page."""
    return cards(session, Filters(), limit=FEATURED_MAX)


def service(session: Session, slug: str) -> Service:
    """A service on sale with its category, active plans and their prices; raises `NotFound`. One query."""
    if not SLUG.fullmatch(slug):
        raise NotFound
    statement = (
        select(Service)
        .where(Service.slug == slug, Service.active)
        .options(
            joinedload(Service.category),
            joinedload(Service.plans.and_(Plan.active)).joinedload(Plan.prices),
        )
        .execution_options(populate_existing=True)
    )
    found = session.scalars(statement).unique().one_or_none()
    if found is None:
        raise NotFound
    return found


def plan_named(session: Session, slug: str, tier: str) -> Plan:
    """A service's plan of a tier, sold or not; raises `PlanNotSold` when there is none."""
    statement = select(Plan).join(Service).where(Service.slug == slug, Plan.plan_type == tier)
    plan = session.scalar(statement.execution_options(populate_existing=True))
    if plan is None:
        raise PlanNotSold
    return plan


def slugs(session: Session) -> Sequence[str]:
    """The addresses of all services on sale."""
    return session.scalars(select(Service.slug).where(Service.active).order_by(Service.slug)).all()


def plan_of(session: Session, slug: str, tier: str) -> Plan:
    """A service's plan of a tier, with its service and prices; raises `PlanNotSold` when there is none."""
    statement = (
        select(Plan)
        .join(Plan.service)
        .options(joinedload(Plan.service), joinedload(Plan.prices))
        .where(Service.slug == slug, Plan.plan_type == tier)
    )
    plan = session.scalars(statement).unique().one_or_none()
    if plan is None:
        raise PlanNotSold
    return plan
