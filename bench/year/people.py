"""Customers and their habits: who pays in time, who forgets, who leaves, and what they do with their apps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa

from bench.year.town import Town
from portal.accounts import actions as accounts
from portal.accounts.queries import customer_of
from portal.catalog.models import Interval, Plan, PlanPrice, Service
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.core.money import Money, rupiah
from portal.instances.models import Instance
from portal.payments import actions as payments
from portal.payments.actions import TopUp
from portal.payments.errors import GatewayUnavailable
from portal.payments.gateways import Order
from portal.payments.models import Payment, PaymentAttempt
from portal.payments.registry import gateway_named
from portal.subscriptions import actions, intents, queries
from portal.subscriptions.actions import Purchase, waiting
from portal.subscriptions.models import ENDED, Subscription, SubscriptionStatus, WaitlistEntry, WaitlistStatus
from portal.subscriptions.queries import Offer
from portal.subscriptions.rules import Obstacle, top_up_for
from portal.wallet.models import AccountKind, LedgerAccount
from portal.wallet.queries import available
from sandbox.midtrans.gateway import Refused

METHODS = ("bca_va", "permata_va", "echannel", "gopay", "qris")
SIGN_UPS_END = 0.8
"""Nobody signs up in the last fifth of the year, so that every life has had some length."""


@dataclass(frozen=True)
class Habit:
    """How likely a customer pays on a day: before it is due, in grace, and once suspended."""

    name: str
    in_time: float
    in_grace: float
    suspended: float
    share: int


HABITS = (
    Habit("punctual", 0.6, 0.8, 0.9, 50),
    Habit("forgetful", 0.05, 0.25, 0.3, 30),
    Habit("careless", 0.0, 0.05, 0.08, 15),
    Habit("gone", 0.0, 0.0, 0.0, 5),
)


class Due(NamedTuple):
    """What a customer sees of a subscription when they think about paying, and their credit."""

    status: str
    period_ends_at: datetime
    price: int
    balance: int


@dataclass
class Person:
    """One customer; `chance` is their own, so that a seed gives everybody the same life."""

    town: Town
    number: int
    signs_up_on: int
    chance: random.Random
    habit: Habit
    customer_id: UUID | None = None
    open_payments: list[tuple[UUID, str]] = field(default_factory=list)  # payment, and its order id

    # -- what they do on a day ---------------------------------------------------------------------------

    def sign_up(self, plans: list[UUID]) -> None:
        """An account, and a first purchase: from credit, or by paying for it."""
        with transaction() as session:
            user = accounts.register(
                session, name=f"Orang {self.number}", email=f"orang{self.number}@year.minispod.example",
                password=f"kata sandi panjang {self.number}", phone=None, language="id", now=clock.now(),
            )  # fmt: skip
            user.email_verified_at = clock.now()
            session.flush()
            customer = customer_of(session, user.id)
            assert customer is not None
            self.customer_id = customer.id
        self.town.tally["signed up"] += 1
        self.want(self.chance.choice(plans))

    def want(self, plan_id: UUID) -> None:
        """Buys a plan from credit, or asks for it and pays; waits in line when it is sold out."""
        interval = Interval.YEARLY if self.chance.random() < 0.1 else Interval.MONTHLY
        offer = queries.offer(db.session(), self.own_id, plan_id, interval, now=clock.now())
        db.session.close()
        if offer.obstacle is Obstacle.SHORT_OF_CREDIT:
            with transaction() as session:
                intents.note_intent(session, self.own_id, plan_id, interval, now=clock.now())
            missing = top_up_for(offer.quote.shortfall, smallest=rupiah(10_000)).amount
            months = self.chance.choice([0, 0, 1, 3]) if self.habit.in_time else 0
            self.ask_to_pay(missing + months * offer.quote.price.amount)
        elif offer.obstacle is None:
            with transaction() as session:
                purchase = Purchase(plan_id, interval, offer.quote.total, uuid4().hex)
                actions.subscribe(session, self.own_id, purchase, now=clock.now())
            self.town.tally["bought from credit"] += 1
        elif offer.obstacle is Obstacle.SOLD_OUT:
            self._wait_in_line(offer)
        else:
            self.town.tally[f"could not buy: {offer.obstacle}"] += 1

    def _wait_in_line(self, offer: Offer) -> None:
        """Half of them want the slot as soon as there is one, and set the money aside if they have it."""
        automatic = self.chance.random() < 0.5 and offer.quote.balance >= offer.quote.total
        with transaction() as session:
            waiting.join(
                session, self.own_id, offer.plan.id, interval=offer.interval, automatic=automatic,
                agreed_total=offer.quote.total, now=clock.now(),
            )  # fmt: skip
        self.town.tally["waits in line"] += 1

    def take_what_is_offered(self) -> None:
        """Buys what a place in line brought, if the credit is there; else pays for it."""
        statement = sa.select(WaitlistEntry).where(
            WaitlistEntry.customer_id == self.own_id, WaitlistEntry.status == WaitlistStatus.OFFERED
        )
        offered = self._one_of(db.session().scalars(statement).all())
        if offered.resumes_id is None:
            self.want(offered.plan_id)

    def afford(self, total: Money) -> None:
        """Pays in what is missing, now and in full; the next attempt will find it."""
        balance = available(db.session(), self.own_id)
        db.session.close()
        if balance < total and not self.open_payments:
            self.ask_to_pay(max(10_000, (total - balance).amount))

    def pay_what_is_due(self, due: Sequence[Due]) -> None:
        """Tops up what the next renewals cost, by habit."""
        for one in due:
            likely = self._likely_to_pay(one)
            missing = one.price - one.balance
            if likely and missing > 0 and not self.open_payments and self.chance.random() < likely:
                self.ask_to_pay(max(10_000, missing * self.chance.choice([1, 1, 2, 3])))
                return

    def _likely_to_pay(self, due: Due) -> float:
        if due.status == SubscriptionStatus.SUSPENDED:
            return self.habit.suspended
        if due.status == SubscriptionStatus.PAST_DUE:
            return self.habit.in_grace
        near = (due.period_ends_at - clock.now()).days <= 4
        return self.habit.in_time if near else 0.0

    def ask_to_pay(self, amount: int) -> None:
        """A top-up with its checkout, as the form makes it. The gateway away: the customer comes back later."""
        method = self.chance.choice(METHODS)
        with transaction() as session:
            wanted = TopUp(rupiah(min(amount, 10_000_000)), method, uuid4().hex)
            payment = payments.request_top_up(session, self.own_id, wanted, now=clock.now())
            attempt = payments.payable_attempt(session, payment.id, self.own_id, now=clock.now())
        try:
            checkout = gateway_named("midtrans").create(_order(payment, attempt))
        except GatewayUnavailable:
            self.town.tally["checkout refused: gateway away"] += 1
            with transaction() as session:
                payments.cancel(session, payment.id, self.own_id, now=clock.now())
            return
        with transaction() as session:
            payments.store_checkout(session, attempt.id, checkout)
        self.open_payments.append((payment.id, attempt.order_id))
        self.town.tally["top-up asked for"] += 1

    def settle_payments(self) -> None:
        """Pays what is open: mostly at once, sometimes after it expired, sometimes never."""
        still_open = []
        for payment_id, order_id in self.open_payments:
            luck = self.chance.random()
            if luck < 0.75:
                self._pay(order_id)
            elif luck < 0.80:
                with transaction() as session:
                    payments.cancel(session, payment_id, self.own_id, now=clock.now())
                self.town.tally["top-up cancelled"] += 1
            elif luck < 0.97:
                still_open.append((payment_id, order_id))
            else:
                self.town.tally["top-up forgotten"] += 1
        self.open_payments = still_open

    def _pay(self, order_id: str) -> None:
        try:
            self.town.outside.gateway.pay(order_id, force=self.chance.random() < 0.5)
            self.town.tally["paid at the gateway"] += 1
        except Refused:
            self.town.tally["too late to pay"] += 1

    def change_something(self) -> None:
        """Rarely: stops, starts or deletes an app, changes the plan, cancels, thinks again, buys another."""
        from bench.year.choices import CHOICES

        for likely, choose in CHOICES:
            if self.chance.random() < likely:
                self.attempt(choose)

    def attempt(self, verb: Callable[..., object], *arguments: object) -> None:
        """Does it; a refusal is an answer, too."""
        try:
            verb(self, *arguments)
            self.town.tally[f"did: {verb.__name__}"] += 1
        except PortalError as refusal:
            self.town.tally[f"refused: {verb.__name__}: {refusal.code}"] += 1
        finally:
            db.session.close()

    # -- what they have ----------------------------------------------------------------------------------

    @property
    def own_id(self) -> UUID:
        assert self.customer_id is not None
        return self.customer_id

    def some_subscription(self, *conditions: sa.ColumnElement[bool]) -> Subscription:
        """One of theirs that fits; `PortalError` when there is none."""
        statement = sa.select(Subscription).where(Subscription.customer_id == self.own_id, *conditions)
        return self._one_of(db.session().scalars(statement.order_by(Subscription.id)).all())

    def some_app(self, *conditions: sa.ColumnElement[bool]) -> Instance:
        """Likewise one of their apps."""
        statement = sa.select(Instance).where(Instance.customer_id == self.own_id, *conditions)
        return self._one_of(db.session().scalars(statement.order_by(Instance.id)).all())

    def _one_of(self, found: Sequence[Any]) -> Any:
        db.session.close()
        if not found:
            raise NothingOfTheKind
        return self.chance.choice(found)


class NothingOfTheKind(PortalError):
    """There is nothing to do it to."""

    code = "NOTHING_OF_THE_KIND"


def _order(payment: Payment, attempt: PaymentAttempt) -> Order:
    return Order(
        order_id=attempt.order_id, amount=payment.money, description="Credit", method=payment.method,
        customer_name="Orang", customer_email="orang@year.minispod.example", starts_at=attempt.created_at,
        expires_at=payment.expires_at, return_url="http://127.0.0.1/top-ups/return",
    )  # fmt: skip


class Crowd:
    """Everybody, day by day."""

    def __init__(self, town: Town, *, count: int, seed: int, days: int) -> None:
        chance = random.Random(seed)
        habits = [habit for habit in HABITS for _ in range(habit.share)]
        self.people = [
            Person(
                town, number, signs_up_on=int(chance.random() * days * SIGN_UPS_END),
                chance=random.Random(f"{seed}:{number}"), habit=chance.choice(habits),
            )
            for number in range(count)
        ]  # fmt: skip
        self.plans = _plans_for_sale(count)

    def act(self, day: int) -> None:
        """What everybody does at this moment of the day: each thing for a part of them."""
        due = _everything_due()
        for person in self.people:
            if person.customer_id is None:
                if person.signs_up_on <= day and person.chance.random() < 0.4:
                    person.attempt(self._sign_up)
                continue
            if person.open_payments:
                person.attempt(Person.settle_payments)
            elif person.chance.random() < 0.25:
                seen = due.get(person.customer_id, [])
                person.attempt(Person.pay_what_is_due, seen)
            elif person.chance.random() < 0.1:
                person.attempt(Person.take_what_is_offered)
            person.change_something()

    def _sign_up(self, person: Person) -> None:
        person.sign_up(self.plans)


def _everything_due() -> dict[UUID, list[Due]]:
    """By customer, what renews by itself."""
    account = LedgerAccount
    statement = (
        sa.select(
            Subscription.customer_id, Subscription.status, Subscription.period_ends_at,
            sa.func.coalesce(Subscription.next_price, Subscription.price), account.balance,
        )
        .join(account, sa.and_(account.customer_id == Subscription.customer_id, account.kind == AccountKind.AVAILABLE))
        .where(Subscription.status.not_in(ENDED), Subscription.auto_renew)
        .order_by(Subscription.id)
    )  # fmt: skip
    due: dict[UUID, list[Due]] = {}
    for customer_id, *facts in db.session().execute(statement):
        due.setdefault(customer_id, []).append(Due(*facts))
    db.session.close()
    return due


def _plans_for_sale(customers: int) -> list[UUID]:
    """Every plan that costs something; a few of them have few slots, so that people wait in line."""
    with transaction() as session:
        paid = sa.select(PlanPrice.plan_id).where(PlanPrice.interval == Interval.MONTHLY, PlanPrice.amount > 0)
        plans = session.scalars(
            sa.select(Plan).join(Service).where(Plan.id.in_(paid)).order_by(Service.slug, Plan.sort_order)
        ).all()
        for number, plan in enumerate(plans):
            plan.slots_total = max(2, customers // 60) if number % 4 == 0 else customers
        return [plan.id for plan in plans]
