"""Whatever happens, in whatever order: afterwards each rupiah is where the gateway's own records say it belongs.

Random lives against the real simulator: top-ups by every kind of method, banks that settle, deny, reverse, refund and
charge back, notifications doubled, swapped, lost, forged and lying, a status API that breaks, purchases, apps that
fail, deletions, clean-ups, late money, and time. A seed is a life; `BOOKS_SEEDS=200` in the environment lives more.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import payments as payment_jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.errors import PortalError, Unavailable
from portal.instances.models import Instance
from portal.payments import actions as payments
from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt
from portal.subscriptions import actions as subscriptions
from portal.subscriptions import intents
from portal.subscriptions.models import SubscriptionCharge
from portal.wallet.models import LedgerAccount, Transaction
from sandbox.midtrans.gateway import Refused
from sandbox.server import SandboxServer
from tests.books import shop
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE
from tests.payments.counter import PAPERWORK, Counter

SEEDS = int(os.environ.get("BOOKS_SEEDS", "8"))
MOVES = 45
LYING = (*PAPERWORK, "instances.provision", "instances.clean_up")
METHODS = ("bca_va", "permata_va", "echannel", "gopay", "qris", "credit_card")
PAID = ("settlement", "capture")
CARD = "4811111111111114"
FORGERIES = ("wrong_signature", "other_key", "signature_absent", "signature_upper", "none")
BANK_VERBS = {
    "pending": ["settle", "settle", "authenticate_card", "deny", "expire", "cancel", "challenge"],
    "capture": ["settle", "approve", "deny_challenge", "refund", "cancel"],
    "settlement": ["reverse", "refund", "refund", "chargeback"],
    "partial_refund": ["refund"],
    "partial_chargeback": ["chargeback"],
}
BROKEN = ("http_503", "html_502", "empty_body", "list_body", "non_numeric_code", "tcp_reset")


class Bystander:
    """Someone who does one thing after the other, by chance."""

    def __init__(self, outside: SandboxServer, seed: int) -> None:
        self.chance = random.Random(seed)
        self.gateway = outside.midtrans
        self.plans = [shop.sell(slots=2), shop.another_app()]
        self.counters = [Counter(outside, shop.open_customer()) for _ in range(2)]
        self.payments: list[tuple[Counter, Payment]] = []
        self.ever_paid: set[str] = set()
        self.moves: list[Callable[[], object]] = [
            self.ask, self.ask, self.choose, self.choose, self.pay, self.pay, self.pay, self.bank, self.bank, self.bank,
            self.deliver, self.deliver, self.deliver, self.forge, self.look, self.look_while_it_is_broken, self.work,
            self.work, self.buy, self.buy, self.wish, self.fail, self.delete, self.clean_up, self.wait, self.wait,
            self.change_mind, self.sync,
        ]  # fmt: skip

    def begin(self) -> None:
        """Everybody pays something in, and hears of it."""
        for counter in self.counters:
            payment = counter.ask(75_001, self.chance.choice(METHODS))
            self.payments.append((counter, payment))
            counter.pay(payment)
            counter.deliver(payment)

    def live(self, moves: int) -> None:
        for _ in range(moves):
            with contextlib.suppress(Refused, PortalError):
                self.chance.choice(self.moves)()
            db.session.rollback()
            self.ever_paid |= {t.transaction_id for t in self.at_the_gateway() if is_paid(t)}

    def come_to_rest(self) -> None:
        """Everything heals, every notification arrives once more, and the poller looks at every payment once."""
        self.gateway.heal()
        self.wait_for(timedelta(minutes=3))
        for notification in self.gateway.notifications():
            self.receive(notification.body)
        self.work()
        for _, payment in self.payments:
            payment_jobs.check(str(payment.id))
        self.work()

    def at_the_gateway(self) -> list[Any]:
        return list(self.gateway.records.transactions.values())

    # -- the customer ------------------------------------------------------------------------------------

    def ask(self) -> None:
        counter = self.chance.choice(self.counters)
        amount = self.chance.choice([10_000, 25_000, 50_000, 75_001])
        self.payments.append((counter, counter.ask(amount, self.chance.choice(METHODS))))

    def choose(self) -> None:
        counter, payment = self.some_payment()
        options = {"card_number": CARD} if payment.method == "credit_card" else {}
        method = "other_qris" if payment.method == "qris" else payment.method
        self.gateway.choose(str(counter.attempt(payment).token), method, **options)

    def pay(self) -> None:
        """In time, or long after it: a virtual account may take money that nobody expects any more."""
        counter, payment = self.some_payment()
        tries = {each.transaction_id for each in self.gateway.records.transactions_of(counter.order_id(payment))}
        never_paid = not tries & self.ever_paid
        counter.pay(payment, force=never_paid and self.chance.random() < 0.3)

    def change_mind(self) -> None:
        counter, payment = self.some_payment()
        with transaction() as session:
            payments.cancel(session, payment.id, counter.customer_id, now=clock.now())

    def buy(self) -> None:
        counter = self.chance.choice(self.counters)
        shop.buy(counter.customer_id, self.chance.choice(self.plans))

    def wish(self) -> None:
        counter, plan = self.chance.choice(self.counters), self.chance.choice(self.plans)
        with transaction() as session:
            intents.note_intent(session, counter.customer_id, plan, "MONTHLY", now=clock.now())

    def delete(self) -> None:
        with transaction() as session:
            subscriptions.delete_instance(session, self.some_instance(Instance.fenced_at.is_(None)), now=clock.now())

    # -- the bank and the gateway ------------------------------------------------------------------------

    def bank(self) -> None:
        """A move the real gateway could make in that state; what still does not fit it refuses."""
        if not self.at_the_gateway():
            return
        chosen = self.chance.choice(self.at_the_gateway())
        verb = self.chance.choice(BANK_VERBS.get(chosen.status, ["settle"]))
        options = {}
        if verb in ("refund", "chargeback") and self.chance.random() < 0.6:
            options["amount"] = self.chance.choice([1, 4_000, 10_000])
        getattr(self.gateway, verb)(chosen.transaction_id, **options)

    def deliver(self) -> None:
        """Some of all notifications so far, in any order, some of them twice."""
        known = self.gateway.notifications()
        for notification in self.chance.choices(known, k=min(len(known), 4)):
            self.receive(notification.body)

    def forge(self) -> None:
        counter, payment = self.some_payment()
        claim = self.chance.choice(["settlement", "capture", "refund", "deny", "expire"])
        numbers = self.gateway.forge(counter.order_id(payment), self.chance.choice(FORGERIES), claim=claim)
        for number in numbers:
            self.receive(self.gateway.postman.notifications[number].body)
            del self.gateway.postman.notifications[number]

    def receive(self, body: bytes) -> None:
        with contextlib.suppress(PortalError):
            self.counters[0].receive(body)

    # -- the portal's own work ---------------------------------------------------------------------------

    def work(self) -> None:
        run_due_work(without=LYING)

    def look(self) -> None:
        payment_jobs.check(str(self.some_payment()[1].id))

    def look_while_it_is_broken(self) -> None:
        fault = self.gateway.inject(self.chance.choice(BROKEN))
        try:
            with contextlib.suppress(Unavailable):
                self.look()
            self.work()
        finally:
            self.gateway.heal(fault.fault_id)

    def sync(self) -> None:
        payment_jobs.sync()

    def fail(self) -> None:
        shop.fail(self.some_instance(Instance.fenced_at.is_(None), Instance.ready_at.is_(None)))

    def clean_up(self) -> None:
        shop.clean_up(self.some_instance(Instance.fenced_at.is_not(None)))

    def wait(self) -> None:
        self.wait_for(self.chance.choice([timedelta(seconds=20), timedelta(minutes=16), timedelta(hours=26)]))

    def wait_for(self, by: timedelta) -> None:
        self.counters[0].pass_time(by)

    # -- whom it happens to ------------------------------------------------------------------------------

    def some_payment(self) -> tuple[Counter, Payment]:
        if not self.payments:
            self.ask()
        return self.chance.choice(self.payments)

    def some_instance(self, *conditions: Any) -> UUID:
        found = list(db.session().scalars(sa.select(Instance.id).where(*conditions).order_by(Instance.id)))
        db.session.rollback()
        if not found:
            raise PortalError
        return self.chance.choice(found)


def is_paid(transaction: Any) -> bool:
    return transaction.status in PAID and (transaction.fraud_status or "accept") == "accept"


def owed_for(transaction: Any) -> int:
    """What the portal owes for a transaction by the gateway's own records."""
    back = transaction.refunded + sum(each["amount"] for each in transaction.chargebacks)
    given = is_paid(transaction) or transaction.status in (
        "refund", "partial_refund", "chargeback", "partial_chargeback",
    )  # fmt: skip
    return transaction.amount - back if given else 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_life_ends_with_what_the_gateway_says(portal: Flask, outside: SandboxServer, seed: int) -> None:
    bystander = Bystander(outside, seed)
    bystander.begin()
    for _ in range(3):
        bystander.live(MOVES // 3)
        assert_books_are_clean()
    bystander.come_to_rest()
    assert_books_are_clean()
    session = db.session()
    rows = {row.transaction_id: row for row in session.scalars(sa.select(GatewayTransaction))}
    wanted = {each.transaction_id: owed_for(each) for each in bystander.at_the_gateway()}
    assert {known: row.credited - row.taken_back for known, row in rows.items()} == {t: wanted[t] for t in rows}
    assert {t for t, amount in wanted.items() if amount} <= rows.keys(), "paid, and never seen"
    assert {t for t, row in rows.items() if row.credited} <= bystander.ever_paid, "credited, and never paid"
    assert_every_rupiah_is_accounted_for(list(rows.values()))


def assert_every_rupiah_is_accounted_for(rows: list[GatewayTransaction]) -> None:
    """Wallets hold what gateways gave less what was bought, and every credit is one line."""
    session = db.session()
    charges = session.scalars(sa.select(SubscriptionCharge)).all()
    wallets = session.scalars(sa.select(LedgerAccount).where(LedgerAccount.customer_id.is_not(None))).all()
    came = sum(row.credited - row.taken_back for row in rows)
    went = sum(charge.amount - charge.refunded for charge in charges)
    assert sum(account.balance for account in wallets) == came - went
    assert {charge.amount for charge in charges} <= {PRICE}, "nobody pays another price than the one asked"
    settled = session.scalars(sa.select(Transaction).where(Transaction.type == "TOP_UP", Transaction.entry_id != None))  # noqa: E711
    assert len(list(settled)) == sum(1 for row in rows if row.credited)
    orders = session.scalars(sa.select(PaymentAttempt.order_id)).all()
    assert len(orders) == len(set(orders))
