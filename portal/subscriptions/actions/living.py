"""Holding a subscription, and writing a step of its life: the columns that time works on, all at once."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.subscriptions.errors import SubscriptionNotFound
from portal.subscriptions.models import Subscription
from portal.subscriptions.rules.life import LIFE_COLUMNS, Life


def locked_own(session: Session, subscription_id: UUID, customer_id: UUID) -> Subscription:
    """The customer's subscription as it is now, its row held until the transaction ends; `SubscriptionNotFound` for
    anybody else's."""
    statement = select(Subscription).where(Subscription.id == subscription_id, Subscription.customer_id == customer_id)
    subscription = session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True))
    if subscription is None:
        raise SubscriptionNotFound
    return subscription


def live(subscription: Subscription, life: Life) -> None:
    """Moves a locked subscription on to `life`."""
    for name in LIFE_COLUMNS:
        setattr(subscription, name, getattr(life, name))
