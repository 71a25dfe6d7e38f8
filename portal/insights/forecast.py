"""What the next month's renewals should bring: the real rules of renewal run forward over every running subscription.

Each customer's credit, as it is now, pays what falls due in the order in which it falls due. What it covers is counted
whole. What it does not cover is taken to recover in grace as often, by sum, as it did in the last 90 days. New
customers, upgrades and departures to come are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.catalog.models import Plan
from portal.core.clock import today
from portal.core.money import IDR
from portal.insights.ranges import midnight, month_after
from portal.subscriptions.models import HOLDS_SLOT, Subscription
from portal.subscriptions.rules.life import LIFE_COLUMNS, Life, Terms, advance, amount_due
from portal.subscriptions.rules.runway import PAID
from portal.wallet.models import AccountKind, LedgerAccount

ENOUGH = 10**15
"""More credit than anybody has: what would be charged if it were there."""


@dataclass(frozen=True)
class Renewing:
    """A running subscription and what its customer may spend now."""

    customer_id: UUID
    life: Life
    setup_fee: int
    balance: int


@dataclass(frozen=True)
class Due:
    """What falls due in a month, in whole rupiah, PPN included, and how much of it the credit covers that is there."""

    total: int = 0
    covered: int = 0
    renewals: int = 0


def next_month(session: Session, *, now: datetime, terms: Terms) -> dict[str, int]:
    """The figures of a day that tell of the calendar month after it."""
    first = month_after(today(now))
    found = due_in(_running(session), first, now=now, terms=terms)
    return {"forecast_due_sum": found.total, "forecast_covered_sum": found.covered, "forecast_renewals": found.renewals}


def due_in(apps: Iterable[Renewing], month: date, *, now: datetime, terms: Terms) -> Due:
    """What falls due in the month that begins on `month`; `apps` come customer by customer."""
    begins_at, ends_at = midnight(month), midnight(month_after(month))
    found = Due()
    for _, theirs in groupby(apps, key=lambda app: app.customer_id):
        found = _customers_due(list(theirs), found, begins_at, ends_at, now=now, terms=terms)
    return found


def _customers_due(
    apps: list[Renewing], found: Due, begins_at: datetime, ends_at: datetime, *, now: datetime, terms: Terms
) -> Due:
    left = apps[0].balance
    charges = sorted(charge for app in apps for charge in _charges(app, ends_at, now=now, terms=terms))
    for moment, amount in charges:
        covered = amount <= left
        left -= amount if covered else 0
        if moment >= begins_at:
            found = Due(found.total + amount, found.covered + (amount if covered else 0), found.renewals + 1)
    return found


def _charges(app: Renewing, ends_at: datetime, *, now: datetime, terms: Terms) -> Iterator[tuple[datetime, int]]:
    """When and what it will be charged before `ends_at`, were the credit there; nothing that ends by itself."""
    life = app.life
    while life.due_at is not None and (moment := max(min(life.due_at, life.period_ends_at), now)) < ends_at:
        amount = amount_due(life, setup_fee=app.setup_fee)
        turn = advance(replace(life, due_at=moment), balance=ENOUGH, now=moment, terms=terms, setup_fee=app.setup_fee)
        if turn.step not in PAID:
            return
        if amount:
            yield moment, amount
        life = turn.life


def _running(session: Session) -> Iterator[Renewing]:
    columns = [getattr(Subscription, name) for name in LIFE_COLUMNS]
    statement = (
        select(Subscription.customer_id, Plan.setup_fee, LedgerAccount.balance, *columns)
        .join(Plan, Plan.id == Subscription.plan_id)
        .outerjoin(
            LedgerAccount,
            (LedgerAccount.customer_id == Subscription.customer_id)
            & (LedgerAccount.kind == AccountKind.AVAILABLE)
            & (LedgerAccount.currency == IDR),
        )
        .where(Subscription.status.in_(HOLDS_SLOT), Subscription.auto_renew, Subscription.cancel_requested_at.is_(None))
        .order_by(Subscription.customer_id, Subscription.id)
        .execution_options(yield_per=2000)
    )
    for customer_id, setup_fee, balance, *values in session.execute(statement):
        yield Renewing(customer_id, Life(*values), setup_fee, balance or 0)
