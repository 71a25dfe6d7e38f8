"""A price of the catalog changes, and whoever pays the old one is told in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from config import settings
from portal.catalog.models import PlanPrice
from portal.core.db import ROW_LOCK
from portal.notices import actions as notices
from portal.notices.actions import Telling
from portal.subscriptions.models import ENDED, Subscription
from portal.subscriptions.rules.prices import News, announcement

BATCH = 500


def concerned(session: Session, plan_id: UUID, interval: str, new_price: int) -> int:
    """How many running subscriptions a new price would reach."""
    return session.scalar(select(func.count()).where(not_there_yet(plan_id, interval, new_price))) or 0


def announce(
    session: Session, plan_id: UUID, interval: str, new_price: int, *, now: datetime, limit: int = BATCH
) -> int:
    """Announces the price to up to `limit` running subscriptions that do not know it yet, and tells their customers;
    returns to how many. 0: all know it. Call it, a transaction each, until then; a repeat tells nobody twice.
    """
    return _announce(session, not_there_yet(plan_id, interval, new_price), new_price, now=now, limit=limit)


def catch_up(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """Announces to a locked subscription what changed while it was on its way to the plan it has now.

    The price is held until the transaction ends: who changes it after that finds the subscription on its plan.
    """
    statement = select(PlanPrice.amount).where(
        PlanPrice.plan_id == subscription.plan_id, PlanPrice.interval == subscription.interval, PlanPrice.active
    )
    price = session.scalar(statement.with_for_update(read=True))
    if price is not None:
        missed = not_there_yet(subscription.plan_id, subscription.interval, price)
        _announce(session, and_(Subscription.id == subscription.id, missed), price, now=now, limit=1)


def _announce(session: Session, to: ColumnElement[bool], new_price: int, *, now: datetime, limit: int) -> int:
    statement = (
        select(Subscription)
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .where(to)
        .order_by(Subscription.id)
        .limit(limit)
        .with_for_update(of=Subscription, **ROW_LOCK)
        .execution_options(populate_existing=True)
    )
    found = session.scalars(statement).all()
    notices.tell_all(session, _take_in(found, new_price, now=now), now=now)
    session.flush()
    return len(found)


def not_there_yet(plan_id: UUID, interval: str, new_price: int) -> ColumnElement[bool]:
    """Which running subscriptions pay another price, and are on their way to another."""
    return and_(
        Subscription.plan_id == plan_id,
        Subscription.interval == interval,
        Subscription.status.not_in(ENDED),
        or_(
            and_(Subscription.next_price.is_(None), Subscription.price != new_price),
            and_(Subscription.next_price.is_not(None), Subscription.next_price != new_price),
        ),
    )


def _take_in(found: Sequence[Subscription], new_price: int, *, now: datetime) -> list[Telling]:
    notice = timedelta(days=settings().price_notice_days)
    tellings = []
    for one in found:
        said = announcement(one.price, one.next_price, one.next_price_from, new_price=new_price, now=now, notice=notice)
        if said is not None:
            one.next_price, one.next_price_from = said.next_price, said.next_price_from
            tellings.append(_telling(one, said.news, new_price, now=now))
    return tellings


def _telling(subscription: Subscription, news: News, new_price: int, *, now: datetime) -> Telling:
    begins_at = subscription.next_price_from or now
    return Telling(
        subscription.customer_id,
        code=news,
        parameters={
            "app": subscription.service.name,
            "plan": subscription.plan.name,
            "amount": subscription.price,
            "price": new_price,
            "from_at": begins_at.isoformat(),
            "subscription_id": str(subscription.id),
        },
        unique_key=f"price:{subscription.id}:{new_price}:{now.isoformat()}",
    )
