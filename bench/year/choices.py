"""What customers do now and then, and how likely on one moment of a day."""

from __future__ import annotations

import sqlalchemy as sa

from bench.year.people import Person
from portal.catalog.models import Interval, Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.instances import actions as instances
from portal.instances.models import Instance, WantedState
from portal.promotions import actions as promotions
from portal.promotions.models import PromoCode
from portal.subscriptions import actions
from portal.subscriptions.actions import cancelling, changing, resuming
from portal.subscriptions.models import ENDED, Subscription, SubscriptionStatus

ACTIVE, SUSPENDED = SubscriptionStatus.ACTIVE, SubscriptionStatus.SUSPENDED
LIVE = Subscription.status.not_in(ENDED)


def stop_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.RUNNING, Instance.ready_at.is_not(None))
    with transaction() as session:
        instances.stop(session, app.id, now=clock.now())


def start_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.STOPPED)
    with transaction() as session:
        instances.start(session, app.id, now=clock.now())


def restart_app(person: Person) -> None:
    app = person.some_app(Instance.wanted == WantedState.RUNNING)
    with transaction() as session:
        instances.restart(session, app.id, now=clock.now())


def delete_app(person: Person) -> None:
    app = person.some_app(Instance.fenced_at.is_(None), Instance.ready_at.is_not(None))
    with transaction() as session:
        actions.delete_instance(session, app.id, now=clock.now())


def buy_another(person: Person) -> None:
    statement = sa.select(Plan.id).where(Plan.active, Plan.plan_type == "BASIC").order_by(Plan.id)
    plans = db.session().scalars(statement).all()
    db.session.close()
    person.want(person.chance.choice(plans))


def upgrade(person: Person) -> None:
    """To any other plan or interval of the same service: what is no upgrade is refused."""
    subscription = person.some_subscription(Subscription.status == ACTIVE)
    statement = sa.select(Plan.id).where(Plan.service_id == subscription.service_id, Plan.active).order_by(Plan.id)
    to_plan = person.chance.choice(db.session().scalars(statement).all())
    db.session.close()
    interval = Interval.YEARLY if person.chance.random() < 0.2 else Interval(subscription.interval)
    customer_id, now = subscription.customer_id, clock.now()
    with transaction() as session:
        change = changing.quote(session, subscription.id, customer_id, to_plan, interval, now=now)
    person.afford(change.total_money)
    with transaction() as session:
        changing.confirm(session, change.id, customer_id, now=clock.now())


def cancel_at_the_end(person: Person) -> None:
    subscription = person.some_subscription(LIVE)
    with transaction() as session:
        cancelling.request_cancellation(session, subscription.id, subscription.customer_id, now=clock.now())


def think_again(person: Person) -> None:
    subscription = person.some_subscription(LIVE, Subscription.cancel_requested_at.is_not(None))
    with transaction() as session:
        cancelling.undo_cancellation(session, subscription.id, subscription.customer_id, now=clock.now())


def cancel_at_once(person: Person) -> None:
    subscription = person.some_subscription(LIVE)
    with transaction() as session:
        cancelling.cancel_now(session, subscription.id, subscription.customer_id, now=clock.now())


def stop_renewing(person: Person) -> None:
    _switch(person, Subscription.auto_renew.is_(True), on=False)


def renew_again(person: Person) -> None:
    _switch(person, Subscription.auto_renew.is_(False), on=True)


def _switch(person: Person, condition: sa.ColumnElement[bool], *, on: bool) -> None:
    subscription = person.some_subscription(LIVE, condition)
    with transaction() as session:
        cancelling.set_auto_renew(session, subscription.id, subscription.customer_id, on=on, now=clock.now())


def keep_alive_first(person: Person) -> None:
    subscription = person.some_subscription(LIVE)
    with transaction() as session:
        cancelling.set_order(session, subscription.id, subscription.customer_id, place=1, now=clock.now())


def redeem_a_code(person: Person) -> None:
    """One of the operator's, whether or not it is for them."""
    codes = db.session().scalars(sa.select(PromoCode.code).order_by(PromoCode.id.desc()).limit(3)).all()
    db.session.close()
    if codes:
        with transaction() as session:
            promotions.redeem(session, person.own_id, person.chance.choice(codes), now=clock.now())


def resume(person: Person) -> None:
    subscription = person.some_subscription(Subscription.status == SUSPENDED)
    person.afford(rupiah(subscription.next_price or subscription.price))
    with transaction() as session:
        resuming.resume(session, subscription.id, subscription.customer_id, now=clock.now())


CHOICES = (
    (0.002, stop_app),
    (0.004, start_app),
    (0.001, restart_app),
    (0.0002, delete_app),
    (0.0008, buy_another),
    (0.002, upgrade),
    (0.0006, cancel_at_the_end),
    (0.002, think_again),
    (0.0003, cancel_at_once),
    (0.0005, stop_renewing),
    (0.003, renew_again),
    (0.0005, keep_alive_first),
    (0.004, resume),
    (0.003, redeem_a_code),
)
