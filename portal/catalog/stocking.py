"""What an operator edits by hand: categories, services and plans. Every change is written down.

Running apps and subscriptions are never touched here: an app keeps the size it was sold in, a subscription its price
until one is announced to it (`subscriptions.actions.pricing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.catalog import syncing
from portal.catalog.errors import (
    AlreadyThere,
    CategoryInUse,
    NothingToSell,
    PlanNotSold,
    PlanTooSmall,
    ServiceNotFound,
    TemplateNotFound,
)
from portal.catalog.models import Category, Plan, PlanPrice, Service
from portal.catalog.template_checks import RESOURCES
from portal.catalog.templates import app_templates
from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound
from portal.core.ids import new_id

Localized = dict[str, str]


@dataclass(frozen=True)
class ServiceWish:
    """What a service says and where it stands. Texts are by language."""

    name: str
    category_id: UUID
    description: Localized
    long_description: Localized
    documentation_url: str
    tags: Sequence[str]
    featured: bool
    sort_order: int


@dataclass(frozen=True)
class PlanWish:
    """What a plan offers. `setup_fee` is whole rupiah, PPN included, for those who subscribe from now on."""

    name: str
    sort_order: int
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    bandwidth_gib: int
    max_instances: int
    max_domains: int
    trial_days: int
    setup_fee: int
    popular: bool
    features: list[Localized]


def add_category(session: Session, slug: str, name: Localized, *, actor: Actor, now: datetime) -> Category:
    """A category after all others; raises `AlreadyThere`."""
    last = session.scalar(select(func.max(Category.sort_order))) or 0
    statement = upsert(Category).values(id=new_id(), slug=slug, name=name, sort_order=last + 1)
    added = statement.on_conflict_do_nothing(index_elements=["slug"]).returning(Category.id)
    if session.scalar(added) is None:
        raise AlreadyThere
    _note(session, actor, "category.added", "category", slug, {}, {"name": name}, now=now)
    return _category(session, slug)


def edit_category(
    session: Session, slug: str, name: Localized, sort_order: int, *, actor: Actor, now: datetime
) -> Category:
    """Renames a category and moves it; a repeat changes nothing."""
    category = _category(session, slug)
    before = {"name": category.name, "sort_order": category.sort_order}
    category.name, category.sort_order = name, sort_order
    session.flush()
    _note(
        session, actor, "category.edited", "category", slug, before, {"name": name, "sort_order": sort_order}, now=now
    )
    return category


def remove_category(session: Session, slug: str, *, actor: Actor, now: datetime) -> None:
    """Removes an empty category; raises `CategoryInUse` while a service stands in it or a template names it."""
    category = _category(session, slug)
    if session.scalar(select(exists().where(Service.category_id == category.id))):
        raise CategoryInUse
    if any(template.category == slug for template in app_templates(session).values()):
        raise CategoryInUse  # the next sync would bring it back
    session.delete(category)
    session.flush()
    _note(session, actor, "category.removed", "category", slug, {"name": category.name}, {}, now=now)


def add_service(session: Session, slug: str, category_id: UUID, *, actor: Actor, now: datetime) -> Service:
    """Puts the app of a template into the catalog, with its plans and switched off. Raises `TemplateNotFound`,
    `AlreadyThere`."""
    template = app_templates(session).get(slug)
    if template is None:
        raise TemplateNotFound
    if session.scalar(select(exists().where(Service.slug == slug))):
        raise AlreadyThere
    syncing.put_up(session, template, category_id, now=now)
    service = _service(session, slug)
    _note(session, actor, "service.added", "service", slug, {}, {"version": template.version}, now=now)
    return service


def edit_service(session: Session, slug: str, wish: ServiceWish, *, actor: Actor, now: datetime) -> Service:
    """Its texts are the operator's from then on: a changed template no longer replaces them. A repeat changes
    nothing."""
    service = _service(session, slug)
    after = {**asdict(wish), "tags": list(wish.tags)}
    before = {name: getattr(service, name) for name in after}
    if before == after:
        return service
    for name, value in after.items():
        setattr(service, name, value)
    texts = [wish.name, slug, *wish.tags, *wish.description.values(), *wish.long_description.values()]
    service.search_text = syncing.search_text(*texts)
    service.edited_at = now
    session.flush()
    _note(session, actor, "service.edited", "service", slug, _plain(before), _plain(after), now=now)
    return service


def set_service_active(session: Session, slug: str, *, active: bool, actor: Actor, now: datetime) -> Service:
    """Sells a service, or sells it no longer: what runs goes on, and is renewed. A repeat changes nothing.

    Raises `NothingToSell` for one without a template, or without a plan that has a price.
    """
    service = _service(session, slug)
    if service.active == active:
        return service
    if active and not (_has_something_to_sell(session, service) and slug in app_templates(session)):
        raise NothingToSell
    service.active = active
    session.flush()
    word = "service.switched_on" if active else "service.switched_off"
    _note(session, actor, word, "service", slug, {"active": not active}, {"active": active}, now=now)
    return service


def add_plan(
    session: Session, slug: str, tier: str, wish: PlanWish, prices: Mapping[str, int], slots_total: int,
    *, actor: Actor, now: datetime,
) -> Plan:  # fmt: skip
    """A plan of a service with its prices by interval, sold at once. Raises `AlreadyThere`, `PlanTooSmall`."""
    service = _service(session, slug)
    refuse_too_small(session, slug, wish)
    if session.scalar(select(exists().where(Plan.service_id == service.id, Plan.plan_type == tier))):
        raise AlreadyThere
    plan = Plan(
        id=new_id(), service_id=service.id, plan_type=tier, slots_total=slots_total, slots_used=0, active=True,
        **asdict(wish),
    )  # fmt: skip
    session.add(plan)
    session.flush()
    session.add_all(PlanPrice(plan_id=plan.id, interval=each, amount=amount) for each, amount in prices.items())
    session.flush()
    after = {**asdict(wish), "prices": dict(prices), "slots_total": slots_total}
    _note(session, actor, "plan.added", "plan", plan.id, {}, after, now=now)
    return plan


def edit_plan(session: Session, plan_id: UUID, wish: PlanWish, *, actor: Actor, now: datetime) -> Plan:
    """What is sold from now on. Apps that run keep the size they were sold in. Raises `PlanTooSmall`."""
    plan = _plan(session, plan_id)
    refuse_too_small(session, session.get_one(Service, plan.service_id).slug, wish)
    after = asdict(wish)
    before = {name: getattr(plan, name) for name in after}
    for name, value in after.items():
        setattr(plan, name, value)
    session.flush()
    if before != after:
        _note(session, actor, "plan.edited", "plan", plan.id, before, after, now=now)
    return plan


def set_plan_active(session: Session, plan_id: UUID, *, active: bool, actor: Actor, now: datetime) -> Plan:
    """Sells a plan, or sells it no longer: what runs goes on, and is renewed. A repeat changes nothing."""
    plan = _plan(session, plan_id)
    if plan.active == active:
        return plan
    if active and session.scalar(select(~exists().where(PlanPrice.plan_id == plan_id, PlanPrice.active))):
        raise NothingToSell
    plan.active = active
    session.flush()
    word = "plan.switched_on" if active else "plan.switched_off"
    _note(session, actor, word, "plan", plan.id, {"active": not active}, {"active": active}, now=now)
    return plan


def refuse_too_small(session: Session, slug: str, wish: PlanWish) -> None:
    """Raises `PlanTooSmall` for a plan with less than its app's template says it needs."""
    template = app_templates(session).get(slug)
    for resource in RESOURCES if template else ():
        offered, needed = getattr(wish, resource), getattr(template.minimum, resource)  # type: ignore[union-attr]
        if offered < needed:
            raise PlanTooSmall(resource=resource, offered=offered, needed=needed)


def _has_something_to_sell(session: Session, service: Service) -> bool:
    priced = exists().where(PlanPrice.plan_id == Plan.id, PlanPrice.active)
    return bool(session.scalar(select(exists().where(Plan.service_id == service.id, Plan.active, priced))))


def _category(session: Session, slug: str) -> Category:
    statement = select(Category).where(Category.slug == slug).with_for_update(**ROW_LOCK)
    found = session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return found


def _service(session: Session, slug: str) -> Service:
    statement = select(Service).where(Service.slug == slug).with_for_update(**ROW_LOCK)
    found = session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise ServiceNotFound
    return found


def _plan(session: Session, plan_id: UUID) -> Plan:
    plan = session.get(Plan, plan_id, with_for_update=ROW_LOCK, populate_existing=True)
    if plan is None:
        raise PlanNotSold
    return plan


def _note(
    session: Session, actor: Actor, action: str, kind: str, subject: UUID | str,
    before: dict[str, Any], after: dict[str, Any], *, now: datetime,
) -> None:  # fmt: skip
    audit.changed(session, actor, action, subject_kind=kind, subject_id=subject, now=now, before=before, after=after)


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in facts.items()}
