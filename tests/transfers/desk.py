"""Words for tests of bank transfers: ask for one, prove it, decide, look at the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4

from sqlalchemy import func, select

from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.money import rupiah
from portal.notices.models import Notice
from portal.payments.actions import TopUp
from portal.payments.models import GatewayTransaction, Payment
from portal.transfers import actions, files, rules
from portal.transfers.models import BankTransfer, TransferProof
from portal.transfers.rules import Received, TransferState
from portal.wallet import queries as wallet
from portal.wallet.models import AccountKind, JournalEntry, LedgerAccount
from tests.conftest import run_due_work
from tests.personas import Person
from tests.transfers.pictures import picture

PAPERWORK = ("invoices.render", "notices.deliver")
A_DAY = date(2026, 3, 9)


@dataclass(frozen=True)
class Asked:
    """A transfer that was asked for: plain figures, which no rolled back session takes away."""

    id: UUID
    customer_id: UUID
    amount: int


@dataclass
class Desk:
    """One customer's transfers and the administrator who looks at them."""

    owner: Person
    administrator: Person

    def ask(self, amount: int = 50_000, *, key: str | None = None, of: Person | None = None) -> Asked:
        wanted = TopUp(rupiah(amount), "bank_transfer", key or str(uuid4()))
        with transaction() as session:
            payment = actions.ask(session, (of or self.owner).customer_id, wanted, now=clock.now())
            return Asked(payment.id, payment.customer_id, payment.amount)

    def prove(self, payment: Asked, raw: bytes | None = None) -> TransferProof:
        upload = files.read(raw or picture())
        with transaction() as session:
            return actions.add_proof(
                session, payment.id, payment.customer_id, upload, uploaded_by=self.owner.user_id, now=clock.now()
            )

    def proven(self, amount: int = 50_000) -> Asked:
        payment = self.ask(amount)
        self.prove(payment)
        return payment

    def approve(
        self, payment: Asked, amount: int | None = None, *, line: str = "FT26068", on: date = A_DAY,
        by: Person | None = None,
    ) -> None:  # fmt: skip
        received = Received(amount or payment.amount, line, on)
        with transaction() as session:
            actions.approve(session, payment.id, received, actor=self.actor(by), now=clock.now())

    def reject(self, payment: Asked, reason: str = "No such transfer on our account", by: Person | None = None) -> None:
        with transaction() as session:
            actions.reject(session, payment.id, reason=reason, actor=self.actor(by), now=clock.now())

    def take_back(self, payment: Asked, amount: int, *, so_far: int = 0, by: Person | None = None) -> None:
        with transaction() as session:
            actions.take_back(
                session, payment.id, amount=amount, so_far=so_far, reason="Another customer's money",
                actor=self.actor(by), now=clock.now(),
            )  # fmt: skip

    def actor(self, who: Person | None = None) -> Actor:
        return Actor((who or self.administrator).user_id, "192.0.2.7")

    def settle(self) -> None:
        run_due_work(without=PAPERWORK)

    def state(self, payment: Asked) -> TransferState:
        db.session.close()
        return rules.state_of(db.session().get_one(Payment, payment.id, populate_existing=True).status)

    def transfer(self, payment: Asked) -> BankTransfer:
        db.session.close()
        return db.session().get_one(BankTransfer, payment.id, populate_existing=True)

    def row(self, payment: Asked) -> GatewayTransaction:
        db.session.close()
        statement = select(GatewayTransaction).where(GatewayTransaction.gateway == "bank_transfer")
        return db.session().scalars(statement).one()

    @property
    def balance(self) -> int:
        db.session.close()
        return wallet.available(db.session(), self.owner.customer_id).amount

    @property
    def debt(self) -> int:
        db.session.close()
        statement = select(LedgerAccount.balance).where(
            LedgerAccount.customer_id == self.owner.customer_id, LedgerAccount.kind == AccountKind.RECEIVABLE
        )
        return -(db.session().scalar(statement) or 0)

    @property
    def entries(self) -> int:
        db.session.close()
        return db.session().scalar(select(func.count()).select_from(JournalEntry)) or 0

    @property
    def told(self) -> list[str]:
        db.session.close()
        statement = select(Notice.code).where(Notice.customer_id == self.owner.customer_id)
        return list(db.session().scalars(statement.order_by(Notice.created_at, Notice.id)))

    def noted(self, action: str) -> list[tuple[UUID | None, dict]]:
        db.session.close()
        statement = select(AuditEntry.actor_id, AuditEntry.facts).where(AuditEntry.action == action)
        return [tuple(row) for row in db.session().execute(statement.order_by(AuditEntry.id))]
