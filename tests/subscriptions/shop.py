"""Real apps in the tables, credit in a wallet, and what a page costs in queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal.catalog import actions as catalog
from portal.catalog.app_templates import AppTemplate
from portal.catalog.models import Plan, Service
from portal.catalog.template_files import load_app_templates, load_categories
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.subscriptions import actions
from portal.subscriptions.actions import Purchase
from portal.subscriptions.models import Subscription
from portal.wallet import actions as wallet

STOCK = ("n8n", "ghost", "memos", "linkding")


@cache
def templates() -> dict[str, AppTemplate]:
    """A few of the real apps: a paid one with a setup fee, a free one, and others."""
    return {slug: template for slug, template in load_app_templates().items() if slug in STOCK}


def stock_catalog() -> None:
    """What `flask catalog sync` does, for a few apps."""
    with transaction() as session:
        catalog.sync(session, templates(), load_categories(), now=clock.now())


def plan_of(slug: str, tier: str = "BASIC") -> UUID:
    """The plan's id."""
    statement = sa.select(Plan.id).join(Service).where(Service.slug == slug, Plan.plan_type == tier)
    found = db.session().scalars(statement).one()
    db.session.rollback()
    return found


def credit(customer_id: UUID, amount: int, *, reason: str = "test") -> None:
    """Puts credit into a wallet."""
    with transaction() as session:
        wallet.adjust(session, customer_id, rupiah(amount), key=uuid4().hex, reason=reason, now=clock.now())


def buy(customer_id: UUID, plan_id: UUID, interval: str = "MONTHLY") -> Subscription:
    """Subscribes through the verb, at the price as it is."""
    with transaction() as session:
        plan = actions.sold_plan(session, plan_id)
        price = plan.price(interval)
        assert price is not None
        purchase = Purchase(plan_id, interval, rupiah(price.amount + plan.setup_fee), key=str(uuid4()))
        return actions.subscribe(session, customer_id, purchase, now=clock.now())


def sell_out(plan_id: UUID) -> None:
    """Somebody takes every slot that is left."""
    _change_plan(plan_id, slots_used=Plan.slots_total)


def withdraw(plan_id: UUID) -> None:
    """The operator stops selling the plan."""
    _change_plan(plan_id, active=False)


def _change_plan(plan_id: UUID, **values: object) -> None:
    with transaction() as session:
        session.execute(sa.update(Plan).where(Plan.id == plan_id).values(**values))


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """The statements sent to the database meanwhile."""
    statements: list[str] = []
    listen = lambda *arguments: statements.append(arguments[2])  # noqa: E731
    sa.event.listen(db.engine, "before_cursor_execute", listen)
    try:
        yield statements
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", listen)
