"""A world that is told the same story again and again, with a worker that dies at another point each time."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask

from portal.accounts.models import Customer, Membership, User
from portal.catalog.models import Plan
from portal.core import clock, outbox
from portal.core.db import db, transaction
from portal.core.outbox import LEASE, OutboxMessage
from portal.instances.models import Instance, InstanceEvent
from portal.invoices import actions as invoices
from portal.invoices.models import Document
from portal.notices.models import Mail, Notice
from portal.payments.models import GatewayEvent, Payment
from portal.subscriptions.models import PlanChange, Subscription, WaitlistEntry
from portal.wallet.models import JournalEntry, LedgerAccount, Transaction
from sandbox.kubernetes import Cluster
from sandbox.server import SandboxServer
from tests.books_audit import assert_books_are_clean
from tests.conftest import NOON, _empty
from tests.jobs.dying import Point
from tests.jobs.nursery import Nursery
from tests.outside import reset

NOT_SERVED = ("invoices.render",)
HORIZON = timedelta(minutes=30)
ROUNDS_MAX = 60
Fingerprint = dict[str, Any]
Story = Callable[["Life"], None]


@dataclass
class Life:
    """The portal, everything outside it, and the nursery its workers come from."""

    app: Flask
    outside: SandboxServer
    cluster: Cluster
    nursery: Nursery

    def tell(self, story: Story, *, die_at: int | None = None) -> tuple[list[Point], Fingerprint]:
        """Begins anew, tells the story, lets workers finish it; returns the points passed and how it all ended."""
        _empty(self.app)
        reset(self.outside)
        self.cluster.clear_faults()
        self.cluster.reset()
        with clock.at(NOON):
            story(self)
            points = self._work_to_the_end(die_at)
            db.session.remove()
            assert_books_are_clean()
            return points, self.fingerprint()

    def _work_to_the_end(self, die_at: int | None) -> list[Point]:
        """Lets one worker after the other live; the clock moves to what is due next, a dead one's lease included."""
        end, points = clock.now() + HORIZON, list[Point]()
        for _ in range(ROUNDS_MAX):
            self._push_what_is_due()
            left = None if die_at is None or die_at < len(points) else die_at - len(points)
            killed, passed = self.nursery.live(now=clock.now(), die_at=left)
            points += passed
            if killed:
                die_at = None
            self._do_without_pdfs()
            upcoming = self._next_moment()
            if upcoming is None or upcoming > end:
                return points
            self._pass_time(max(upcoming - clock.now(), timedelta(0)) + timedelta(milliseconds=1))
        raise AssertionError("the work never ends")

    def _do_without_pdfs(self) -> None:
        """What the worker of the slow queue does on a machine that cannot render: no mail waits for it."""
        with transaction() as session:
            for document_id in session.scalars(sa.select(Document.id).where(Document.pdf_error.is_(None))):
                invoices.note_missing_pdf(session, document_id, reason="not here")

    def _push_what_is_due(self) -> None:
        """What the sweeper does, at once: Redis may have forgotten everything."""
        self.app.extensions["redis"].flushall()
        unfinished = (*_open(), OutboxMessage.run_at <= clock.now())
        outbox.push(db.session().scalars(sa.select(OutboxMessage).where(*unfinished).order_by(OutboxMessage.id)))
        db.session.remove()

    def _next_moment(self) -> Any:
        moment = sa.func.greatest(OutboxMessage.run_at, OutboxMessage.claimed_until)
        upcoming = db.session().scalar(sa.select(sa.func.min(moment)).where(*_open()))
        db.session.remove()
        return upcoming

    def _pass_time(self, by: timedelta) -> None:
        clock.advance(by)
        self.cluster.advance(by.total_seconds())

    def fingerprint(self) -> Fingerprint:
        """How the world looks, without ids and times: two runs that went well look the same."""
        labelled = self.cluster.objects(label_selector="minispod.io/instance")
        return {
            "accounts": _rows(LedgerAccount.kind, LedgerAccount.balance, LedgerAccount.sequence),
            "entries": _rows(JournalEntry.kind),
            "lines": _rows(Transaction.type, Transaction.status, Transaction.amount),
            "payments": _rows(Payment.status),
            "events": _rows(GatewayEvent.outcome),
            "queue": _rows(WaitlistEntry.status, WaitlistEntry.held),
            "plan changes": _rows(PlanChange.status, PlanChange.failure_code),
            "subscriptions": _rows(Subscription.status, Subscription.end_reason),
            "instances": _rows(Instance.state, Instance.failure_code, Instance.cleaned_up_at.is_not(None)),
            "timeline": _rows(InstanceEvent.code),
            "documents": _rows(Document.series, Document.number, Document.total),
            "notices": _rows(Notice.code),
            "mails": _rows(Mail.code, Mail.status),
            "slots": _rows(Plan.slots_used),
            "cluster": sorted(Tally(one["kind"] for one in labelled).items()),
            "failed": _rows(OutboxMessage.name, where=OutboxMessage.failed_at.is_not(None)),
        }

    def delivered(self) -> dict[str, int]:
        """How often each mail reached its mailbox, by Message-ID."""
        return dict(Tally(str(mail.message["Message-ID"]) for mail in self.outside.mailbox.mails()))


def _open() -> tuple[Any, ...]:
    return (
        OutboxMessage.done_at.is_(None),
        OutboxMessage.failed_at.is_(None),
        OutboxMessage.name.not_in(NOT_SERVED),
    )


def _rows(*columns: Any, where: Any = sa.true()) -> list[tuple[Any, ...]]:
    db.session.rollback()
    return sorted((tuple(row) for row in db.session().execute(sa.select(*columns).where(where))), key=repr)


def open_owner(name: str = "Ayu") -> UUID:
    """A customer whose owner gets mail; a password nobody needs is not hashed."""
    with transaction() as session:
        email, now = f"{uuid4().hex}@example.com", clock.now()
        user = User(email=email, name=name, password_hash="-", language="en", created_at=now, email_verified_at=now)
        customer = Customer(name=name, billing_email=email, created_at=now)
        session.add_all([user, customer])
        session.flush()
        session.add(Membership(user_id=user.id, customer_id=customer.id))
        return customer.id


__all__ = ["LEASE", "Life", "Story", "open_owner"]
