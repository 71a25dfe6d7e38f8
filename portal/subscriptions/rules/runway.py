"""How far the credit reaches: the real rules of renewal, run forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from portal.core.clock import today
from portal.core.money import Money
from portal.subscriptions.models import Subscription, SubscriptionStatus
from portal.subscriptions.rules.life import Life, Step, Terms, advance, amount_due
from portal.subscriptions.rules.periods import add_months

RUNWAY_MONTHS_MAX = 24
PAID = (Step.RENEWED, Step.CONVERTED)


@dataclass(frozen=True)
class Running:
    """An app whose renewals are forecast. `order` is the customer's "keep alive first"."""

    id: UUID
    app: str
    life: Life
    order: int | None = None
    setup_fee: int = 0


@dataclass(frozen=True)
class Runway:
    """How far the credit reaches: `until` the renewal that cannot be paid. None: past the horizon.

    `missing` is what pays everything that falls due on that day.
    """

    until: datetime | None
    first_to_stop: str | None
    missing: Money


def keep_alive_order(order: int | None, life: Life, subscription_id: UUID) -> tuple[bool, int, datetime, UUID]:
    """In which order one credit pays several apps: the customer's own order first, then the oldest debt."""
    return order is None, order or 0, life.period_ends_at, subscription_id


def order_of(subscription: Subscription) -> tuple[bool, int, datetime, UUID]:
    """`keep_alive_order` of a stored subscription."""
    order = subscription.renewal_order
    return order is None, order or 0, subscription.period_ends_at, subscription.id


def runway(balance: Money, apps: Sequence[Running], *, now: datetime, terms: Terms) -> Runway | None:
    """Plays what renews by itself until something cannot be paid; None when nothing that costs money renews.

    What is overdue already stops the runway today. Past `RUNWAY_MONTHS_MAX` nobody needs the day.
    """
    renewing = [app for app in apps if _renews(app)]
    if not renewing:
        return None
    horizon = add_months(today(now), RUNWAY_MONTHS_MAX, anchor_day=31)
    left = balance.amount
    while True:
        moment = max(min(_due(app) for app in renewing), now)
        if today(moment) > horizon:
            return Runway(None, None, Money(0, balance.currency))
        first = min(
            (app for app in renewing if _due(app) <= moment), key=lambda a: keep_alive_order(a.order, a.life, a.id)
        )
        turn = advance(
            replace(first.life, due_at=moment), balance=left, now=moment, terms=terms, setup_fee=first.setup_fee
        )
        if turn.step not in PAID:
            owed = sum(
                amount_due(app.life, setup_fee=app.setup_fee) for app in renewing if today(_due(app)) <= today(moment)
            )
            return Runway(first.life.period_ends_at, first.app, Money(owed - left, balance.currency))
        left -= turn.charge
        renewing = [replace(app, life=turn.life) if app is first else app for app in renewing]


def _renews(app: Running) -> bool:
    live = app.life.status in (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)
    goes_on = app.life.auto_renew and app.life.cancel_requested_at is None
    return live and goes_on and amount_due(app.life, setup_fee=app.setup_fee) > 0


def _due(app: Running) -> datetime:
    """An overdue one is due at its period's end, whenever it is tried next."""
    assert app.life.due_at is not None
    return min(app.life.due_at, app.life.period_ends_at)
