"""A shop around the books: customers with credit, plans for sale, and a gateway's word when no gateway is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal.accounts.models import Customer
from portal.catalog.models import Category, Plan, PlanPrice, Service
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.instances.models import Instance
from portal.payments import actions as payments
from portal.payments.actions import TopUp
from portal.payments.gateways import Answer
from portal.payments.models import PaymentAttempt
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.actions import Purchase
from portal.subscriptions.models import Subscription
from portal.wallet import actions as wallet
from portal.wallet.models import AccountKind, JournalEntry, LedgerAccount
from tests.instances.world import PRICE, put_up_for_sale


def open_customer(name: str = "Ayu") -> UUID:
    """A customer without a user: money needs no password."""
    with transaction() as session:
        customer = Customer(name=name, billing_email=f"{uuid4().hex}@example.com", created_at=clock.now())
        session.add(customer)
        session.flush()
        return customer.id


def give(customer_id: UUID, amount: int) -> None:
    """Credit by an administrator's hand; a negative amount takes it away."""
    with transaction() as session:
        wallet.adjust(session, customer_id, rupiah(amount), key=uuid4().hex, reason="test", now=clock.now())


def sell(*, slots: int = 5, slug: str = "n8n") -> UUID:
    """A plan at `PRICE` a month."""
    return put_up_for_sale(slug=slug, slots_total=slots)


def another_app() -> UUID:
    """Another service on the same shelf."""
    with transaction() as session:
        shelf = session.query(Category).one()
        texts = {"en": "Text", "id": "Teks"}
        service = Service(
            category_id=shelf.id, slug="wordpress", name="wordpress", description=texts, long_description=texts,
            icon="wordpress.svg", version="1",
        )  # fmt: skip
        session.add(service)
        session.flush()
        plan = Plan(
            service_id=service.id, plan_type="BASIC", name="Basic", cpu_millicores=500, memory_mib=1024,
            storage_gib=5, slots_total=5,
        )  # fmt: skip
        session.add(plan)
        session.flush()
        session.add(PlanPrice(plan_id=plan.id, amount=PRICE))
        return plan.id


def buy(customer_id: UUID, plan_id: UUID, *, key: str | None = None, price: int = PRICE) -> UUID:
    """Subscribes in a transaction of its own; returns the subscription's id."""
    with transaction() as session:
        purchase = Purchase(plan_id, "MONTHLY", rupiah(price), key or uuid4().hex)
        return subscriptions.subscribe(session, customer_id, purchase, now=clock.now()).id


def fail(instance_id: UUID) -> bool:
    """The cluster said no."""
    with transaction() as session:
        return subscriptions.fail_provisioning(session, instance_id, code="quota", parameters={}, now=clock.now())


def clean_up(instance_id: UUID) -> bool:
    """The cluster confirmed that nothing is left."""
    with transaction() as session:
        return subscriptions.confirm_clean_up(session, instance_id, now=clock.now())


def clean_up_if_fenced(instance_id: UUID) -> None:
    """What a worker does that finds the instance fenced; else nothing."""
    fenced_at = db.session().scalar(sa.select(Instance.fenced_at).where(Instance.id == instance_id))
    db.session.rollback()
    if fenced_at is not None:
        clean_up(instance_id)


@dataclass
class Order:
    """A top-up and the gateway's word on it, without a gateway."""

    customer_id: UUID
    amount: int = 50_000
    payment_id: UUID = field(init=False)
    attempt: PaymentAttempt = field(init=False)

    def __post_init__(self) -> None:
        with transaction() as session:
            wanted = TopUp(rupiah(self.amount), "qris", uuid4().hex)
            self.payment_id = payments.request_top_up(session, self.customer_id, wanted, now=clock.now()).id
            statement = sa.select(PaymentAttempt).where(PaymentAttempt.payment_id == self.payment_id)
            self.attempt = session.scalars(statement).one()

    def hear(self, status: str, *, transaction_id: str = "t1", taken_back: int = 0, **changes: Any) -> Any:
        """Records the gateway's word in a transaction of its own."""
        facts: dict[str, Any] = {
            "order_id": self.attempt.order_id,
            "transaction_id": f"{self.attempt.order_id}-{transaction_id}",
            "status": status,
            "fraud_status": "accept",
            "payment_type": "qris",
            "amount": rupiah(self.amount),
            "amount_text": f"{self.amount}.00",
            "taken_back": taken_back,
        }
        asked_at = clock.now()
        with transaction() as session:
            return payments.record_answer(
                session, self.attempt.id, Answer(**facts | changes), asked_at=asked_at, now=clock.now()
            )


def balance(customer_id: UUID, kind: AccountKind = AccountKind.AVAILABLE) -> int:
    """A wallet account as it stands."""
    statement = sa.select(LedgerAccount.balance).where(
        LedgerAccount.customer_id == customer_id, LedgerAccount.kind == kind
    )
    return db.session().scalar(statement) or 0


def debt(customer_id: UUID) -> int:
    return -balance(customer_id, AccountKind.RECEIVABLE)


def entries(kind: str | None = None) -> int:
    """How many journal entries stand in the books."""
    statement = sa.select(sa.func.count()).select_from(JournalEntry)
    return db.session().scalar(statement.where(JournalEntry.kind == kind) if kind else statement) or 0


def slots_used(plan_id: UUID) -> int:
    return db.session().scalars(sa.select(Plan.slots_used).where(Plan.id == plan_id)).one()


def count(model: Any, *conditions: Any) -> int:
    return db.session().scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0


def instance_of(subscription_id: UUID) -> UUID:
    statement = sa.select(Instance.id).where(Instance.subscription_id == subscription_id)
    return db.session().scalars(statement).one()


def live(customer_id: UUID) -> int:
    return count(Subscription, Subscription.customer_id == customer_id, Subscription.status == "ACTIVE")
