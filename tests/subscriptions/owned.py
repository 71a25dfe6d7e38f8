"""Somebody's subscription, and what they do with it: the verbs, and states made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.notices.models import Notice
from portal.subscriptions import actions
from portal.subscriptions.models import Subscription
from portal.subscriptions.rules.refunds import Agreed
from portal.wallet import queries as wallet
from tests.subscriptions.shop import buy, credit, plan_of

MONTH = timedelta(days=31)  # bought on 10 March
PRICE = 25_000


@dataclass(frozen=True)
class Owner:
    """Plain: a refused move expires every row of its session."""

    customer_id: UUID
    email: str


def running(person: Owner, slug: str, tier: str = "BASIC") -> UUID:
    credit(person.customer_id, 400_000)
    subscription_id = buy(person.customer_id, plan_of(slug, tier)).id
    come_up(subscription_id)
    return subscription_id


def come_up(subscription_id: UUID) -> None:
    for app in apps(subscription_id):
        with transaction() as session:
            locked = instances.locked(session, app.id)
            instances.begin_roll_out(session, locked, now=clock.now())
            instances.mark_ready(session, locked, now=clock.now())


def apps(subscription_id: UUID) -> list[Instance]:
    db.session.close()
    statement = sa.select(Instance).where(Instance.subscription_id == subscription_id).order_by(Instance.id)
    return list(db.session().scalars(statement))


def now_of(subscription_id: UUID) -> Subscription:
    db.session.close()
    return db.session().get_one(Subscription, subscription_id)


def put(subscription_id: UUID, **columns: object) -> None:
    """Another state, by hand."""
    with transaction() as session:
        session.execute(sa.update(Subscription).where(Subscription.id == subscription_id).values(**columns))


def fall_due(subscription_id: UUID) -> None:
    clock.advance(MONTH)
    put(subscription_id, status="PAST_DUE", grace_ends_at=clock.now() + timedelta(days=7), due_at=clock.now())


def fall_asleep(subscription_id: UUID) -> None:
    """Suspended, as the run leaves it: no slot, apps at zero."""
    clock.advance(MONTH)
    with transaction() as session:
        subscription = session.get_one(Subscription, subscription_id)
        session.execute(sa.update(Plan).where(Plan.id == subscription.plan_id).values(slots_used=Plan.slots_used - 1))
        session.execute(
            sa.update(Instance)
            .where(Instance.subscription_id == subscription_id)
            .values(state="SUSPENDED", wanted="SUSPENDED", wanted_before_suspension="RUNNING")
        )
    kept = clock.now() + timedelta(days=30)
    put(
        subscription_id, status="SUSPENDED", suspended_at=clock.now(), suspend_reason="UNPAID", data_kept_until=kept,
        due_at=kept, holds_slot=False,
    )  # fmt: skip


def balance(person: Owner) -> int:
    db.session.close()
    return wallet.available(db.session(), person.customer_id).amount


def told(person: Owner) -> list[str]:
    db.session.close()
    statement = sa.select(Notice.code).where(Notice.customer_id == person.customer_id).order_by(Notice.id)
    return [code for code in db.session().scalars(statement) if code != "subscription_started"]


def request(person: Owner, subscription_id: UUID) -> None:
    with transaction() as session:
        actions.request_cancellation(session, subscription_id, person.customer_id, now=clock.now())


def undo(person: Owner, subscription_id: UUID) -> None:
    with transaction() as session:
        actions.undo_cancellation(session, subscription_id, person.customer_id, now=clock.now())


def cancel(person: Owner, subscription_id: UUID, agreed: Agreed | None = None) -> None:
    with transaction() as session:
        actions.cancel_now(session, subscription_id, person.customer_id, agreed=agreed, now=clock.now())


def renew(person: Owner, subscription_id: UUID, *, on: bool) -> None:
    with transaction() as session:
        actions.set_auto_renew(session, subscription_id, person.customer_id, on=on, now=clock.now())


def quoted(subscription_id: UUID) -> Agreed:
    """What the page shows now."""
    db.session.close()
    session, now = db.session(), clock.now()
    return Agreed(actions.refund_now(session, session.get_one(Subscription, subscription_id), now=now), now)


def order(person: Owner, subscription_id: UUID, *, place: int) -> list[UUID]:
    with transaction() as session:
        ordered = actions.set_order(session, subscription_id, person.customer_id, place=place, now=clock.now())
        return [one.id for one in ordered]
