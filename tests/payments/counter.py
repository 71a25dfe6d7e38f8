"""Words for tests of top-ups: ask for one, be the bank, deliver the news, look at the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select

from jobs import payments as jobs
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.payments import actions, notifications
from portal.payments.actions import TopUp
from portal.payments.gateways import Order
from portal.payments.models import Payment, PaymentAttempt
from portal.payments.registry import gateway_named
from portal.wallet import queries as wallet
from portal.wallet.models import JournalEntry
from sandbox.server import SandboxServer
from tests.conftest import run_due_work

PAPERWORK = ("invoices.render", "notices.deliver")
"""Slow work that most tests of money can leave lying."""


@dataclass
class Counter:
    """One customer's dealings with the gateway."""

    outside: SandboxServer
    customer_id: UUID

    def ask(self, amount: int = 50_000, method: str = "bca_va", key: str | None = None) -> Payment:
        """A top-up with its checkout made, as the form's view does it."""
        with transaction() as session:
            wanted = TopUp(rupiah(amount), method, key or str(uuid4()))
            payment = actions.request_top_up(session, self.customer_id, wanted, now=clock.now())
        attempt = self.attempt(payment)
        checkout = gateway_named("midtrans").create(self.order(payment, attempt))
        with transaction() as session:
            actions.store_checkout(session, attempt.id, checkout)
        return payment

    def order(self, payment: Payment, attempt: PaymentAttempt) -> Order:
        return Order(
            order_id=attempt.order_id,
            amount=payment.money,
            description="Credit",
            method=payment.method,
            customer_name="Ayu",
            customer_email="ayu@example.com",
            starts_at=attempt.created_at,
            expires_at=payment.expires_at,
            return_url="http://127.0.0.1/top-ups/return",
        )

    def attempt(self, payment: Payment) -> PaymentAttempt:
        statement = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment.id)
        found = db.session().scalars(statement.order_by(PaymentAttempt.number.desc()).limit(1)).one()
        db.session.close()
        return found

    def order_id(self, payment: Payment) -> str:
        return self.attempt(payment).order_id

    def pay(self, payment: Payment, **options: object) -> str:
        """The customer pays; returns the gateway's transaction id. Nobody tells the portal yet."""
        return self.outside.midtrans.pay(self.order_id(payment), **options).transaction_id  # type: ignore[arg-type]

    def deliver(self, payment: Payment) -> int:
        """Every notification about the payment so far reaches the portal, then the work it queued is done."""
        count = 0
        for notification in self.outside.midtrans.notifications(order_id=self.order_id(payment)):
            self.receive(notification.body.encode() if isinstance(notification.body, str) else notification.body)
            count += 1
        run_due_work(without=PAPERWORK)
        return count

    def receive(self, body: bytes) -> str:
        """One notification, as the webhook takes it in."""
        notification = gateway_named("midtrans").parse_notification(body)
        with transaction() as session:
            return notifications.receive(session, "midtrans", body, notification, now=clock.now())

    def look(self, payment: Payment) -> None:
        """The poller's look at one payment, and the work that follows."""
        jobs.check(str(payment.id))
        run_due_work(without=PAPERWORK)

    def pass_time(self, by: timedelta) -> None:
        """Time passes, at the gateway too."""
        clock.advance(by)
        self.outside.midtrans.advance(by.total_seconds())

    def status(self, payment: Payment) -> str:
        db.session.close()
        return db.session().get_one(Payment, payment.id, populate_existing=True).status

    @property
    def balance(self) -> int:
        db.session.close()
        return wallet.available(db.session(), self.customer_id).amount

    def entries(self) -> int:
        db.session.close()
        return db.session().scalar(select(func.count()).select_from(JournalEntry)) or 0
