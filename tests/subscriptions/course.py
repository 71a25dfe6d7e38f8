"""The course of a subscription under test: time passes, the runs come round, and what was written is looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from jobs import subscriptions as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.notices.models import Mail, Notice
from portal.subscriptions.models import RenewalAttempt, Subscription, SubscriptionCharge
from portal.wallet import queries as wallet


def pass_time(**by: float) -> None:
    clock.advance(timedelta(**by))


def go_to(moment: datetime) -> None:
    clock.advance(moment - clock.now())


def pass_days(days: int, *, reminders: bool = False) -> None:
    """Day by day, the renewal run once a day, as late as it may be."""
    for _ in range(days):
        pass_time(days=1)
        jobs.renew_due()
        if reminders:
            jobs.remind_due()


def come_up(subscription_id: UUID) -> None:
    """Every app of it answers at its address."""
    with transaction() as session:
        statement = sa.select(Instance.id).where(Instance.subscription_id == subscription_id)
        for instance_id in session.scalars(statement).all():
            instance = instances.locked(session, instance_id)
            instances.begin_roll_out(session, instance, now=clock.now())
            instances.mark_ready(session, instance, now=clock.now())


def now_of(subscription_id: UUID) -> Subscription:
    """The subscription as it is."""
    db.session.close()
    return db.session().get_one(Subscription, subscription_id)


def change(subscription_id: UUID, **values: object) -> None:
    """What the customer or the operator decided, written without ceremony."""
    with transaction() as session:
        session.execute(sa.update(Subscription).where(Subscription.id == subscription_id).values(**values))


def balance(customer_id: UUID) -> int:
    db.session.close()
    return wallet.available(db.session(), customer_id).amount


def charges(subscription_id: UUID) -> list[tuple[int, str, int]]:
    """Number, kind and amount of every charge, the oldest first."""
    columns = SubscriptionCharge.period_number, SubscriptionCharge.kind, SubscriptionCharge.amount
    statement = sa.select(*columns).where(SubscriptionCharge.subscription_id == subscription_id)
    return [tuple(row) for row in db.session().execute(statement.order_by(SubscriptionCharge.period_number))]


def attempts(subscription_id: UUID) -> list[tuple[str, int]]:
    """Outcome and missing sum of every try, the oldest first."""
    statement = sa.select(RenewalAttempt.outcome, RenewalAttempt.missing)
    statement = statement.where(RenewalAttempt.subscription_id == subscription_id)
    return [tuple(row) for row in db.session().execute(statement.order_by(RenewalAttempt.id))]


def told(code: str) -> list[Notice]:
    db.session.close()
    return list(db.session().scalars(sa.select(Notice).where(Notice.code == code).order_by(Notice.id)))


def mailed(code: str) -> int:
    return db.session().scalar(sa.select(sa.func.count()).where(Mail.code == code)) or 0


def app_of(subscription_id: UUID) -> Instance:
    db.session.close()
    return db.session().scalars(sa.select(Instance).where(Instance.subscription_id == subscription_id)).one()
