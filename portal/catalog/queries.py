"""Reads shaped for the catalog's pages; every page costs at most three queries."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.catalog.models import Plan, Service

FEATURED_MAX = 6


def _with_plans() -> list:
    return [joinedload(Service.category), selectinload(Service.plans).selectinload(Plan.prices)]


def featured(session: Session) -> Sequence[Service]:
    """The apps the home page shows, with their plans and prices."""
    statement = (
        select(Service)
        .where(Service.active)
        .options(*_with_plans())
        .order_by(Service.featured.desc(), Service.sort_order, Service.name)
        .limit(FEATURED_MAX)
    )
    return session.scalars(statement).all()


def slugs(session: Session) -> Sequence[str]:
    """The addresses of all services on sale."""
    return session.scalars(select(Service.slug).where(Service.active).order_by(Service.slug)).all()
