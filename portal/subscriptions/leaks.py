"""What is held and does nobody any good: named for the operator, changed by nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from config import settings
from portal.instances.models import Instance
from portal.subscriptions.models import ENDED, HOLDS_SLOT, UNDER_WAY, PlanChange, PlanChangeStatus, Subscription

SETTLES_WITHIN = timedelta(hours=1)
CLEAN_WITHIN = timedelta(days=1)


def leaks(session: Session, *, now: datetime) -> Iterator[str]:
    """A line per leak, oldest first: paid for without an app, held up by a change of plan without end, running without
    a subscription, never cleaned up."""
    yield from _without_app(session, now=now)
    yield from _held_up(session, now=now)
    yield from _without_subscription(session, now=now)
    yield from _unclean(session, now=now)


def _without_app(session: Session, *, now: datetime) -> Iterator[str]:
    present = exists().where(Instance.subscription_id == Subscription.id, Instance.fenced_at.is_(None))
    statement = select(Subscription.id).where(
        Subscription.status.in_(HOLDS_SLOT), Subscription.started_at < now - SETTLES_WITHIN, ~present
    )
    for subscription_id in session.scalars(statement.order_by(Subscription.started_at)):
        yield f"subscription {subscription_id} is paid for and has no app"


def _held_up(session: Session, *, now: datetime) -> Iterator[str]:
    """Nothing is charged, suspended or ended meanwhile (`rules.changes.blocks_renewal`)."""
    statement = select(PlanChange).where(
        PlanChange.status.in_(UNDER_WAY), PlanChange.confirmed_at < now - _changes_within()
    )
    for change in session.scalars(statement.order_by(PlanChange.confirmed_at)):
        state = "going back" if change.status == PlanChangeStatus.ROLLING_BACK else "being carried out"
        yield f"change of plan {change.id} is still {state}: subscription {change.subscription_id} waits for its end"


def _changes_within() -> timedelta:
    """The longest that both roll-out and volumes may take, and then a while."""
    return timedelta(seconds=2 * settings().resize_timeout_s) + SETTLES_WITHIN


def _without_subscription(session: Session, *, now: datetime) -> Iterator[str]:
    """Its end fences its apps in the same transaction, so this never takes a moment."""
    ended = exists().where(Subscription.id == Instance.subscription_id, Subscription.status.in_(ENDED))
    statement = select(Instance.name).where(Instance.fenced_at.is_(None), ended)
    for name in session.scalars(statement.order_by(Instance.created_at)):
        yield f"app {name} runs although its subscription has ended"


def _unclean(session: Session, *, now: datetime) -> Iterator[str]:
    statement = select(Instance.name, Instance.fenced_at).where(
        Instance.fenced_at < now - CLEAN_WITHIN, Instance.cleaned_up_at.is_(None)
    )
    for name, fenced_at in session.execute(statement.order_by(Instance.fenced_at)):
        yield f"app {name} ended on {fenced_at:%Y-%m-%d} and is not cleaned up: its slot is still taken"
