"""A plan whose slots are all taken, and people who wait for one."""

from __future__ import annotations

from uuid import UUID, uuid4

import sqlalchemy as sa

from jobs import waitlist as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.subscriptions import intents
from portal.subscriptions.actions import waiting
from portal.subscriptions.models import LaunchIntent, Subscription, WaitlistEntry
from tests.books import shop
from tests.instances.world import PRICE


def sold_out(*, slots: int = 1) -> UUID:
    """A plan whose every slot somebody bought; returns its id."""
    plan = shop.sell(slots=slots)
    for _ in range(slots):
        owner = shop.open_customer("Owner")
        shop.give(owner, PRICE)
        shop.buy(owner, plan)
    return plan


def somebody(credit: int = PRICE) -> UUID:
    customer = shop.open_customer(uuid4().hex[:8])
    if credit:
        shop.give(customer, credit)
    return customer


def join(customer: UUID, plan: UUID, *, automatic: bool = False, total: int = PRICE, interval: str = "MONTHLY") -> UUID:
    with transaction() as session:
        return waiting.join(
            session, customer, plan, interval=interval, automatic=automatic, agreed_total=rupiah(total),
            now=clock.now(),
        ).id  # fmt: skip


def leave(entry_id: UUID, customer: UUID) -> None:
    with transaction() as session:
        waiting.leave(session, entry_id, customer, now=clock.now())


def entry(entry_id: UUID) -> WaitlistEntry:
    db.session.rollback()
    return db.session().get_one(WaitlistEntry, entry_id, populate_existing=True)


def statuses(*entries: UUID) -> list[str]:
    return [entry(one).status for one in entries]


def free(plan: UUID, *, many: int = 1) -> None:
    """Owners go: their app is gone, and the cluster has confirmed it."""
    db.session.rollback()
    statement = sa.select(Subscription.id).where(Subscription.plan_id == plan, Subscription.status == "ACTIVE")
    for subscription_id in list(db.session().scalars(statement.order_by(Subscription.id).limit(many))):
        instance = shop.instance_of(subscription_id)
        shop.fail(instance)
        shop.clean_up(instance)


def offer(plan: UUID) -> None:
    """What the job does that a freed slot wakes."""
    jobs.offer_next(str(plan))


def note_intent(customer: UUID, plan: UUID, *, hold: bool = False) -> UUID:
    with transaction() as session:
        return intents.note_intent(session, customer, plan, "MONTHLY", hold=hold, now=clock.now()).id


def intent(intent_id: UUID) -> LaunchIntent:
    db.session.rollback()
    return db.session().get_one(LaunchIntent, intent_id, populate_existing=True)


def told(customer: UUID) -> list[str]:
    """Codes of what a customer was told, in order."""
    from portal.notices.models import Notice

    db.session.rollback()
    return list(db.session().scalars(sa.select(Notice.code).where(Notice.customer_id == customer).order_by(Notice.id)))


def change_price(plan: UUID, amount: int) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE plan_price SET amount = :a WHERE plan_id = :p"), {"a": amount, "p": plan})


def withdraw(plan: UUID) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE plan SET active = false WHERE id = :p"), {"p": plan})
