"""A user's whole story: what they are, own, pay, run, were told and did. Each part is the newest few, in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from portal.accounts import queries as accounts
from portal.accounts.errors import UserNotFound
from portal.accounts.models import Customer, Membership, MembershipRole, User, UserSession
from portal.audit.models import AuditEntry
from portal.core.money import IDR, Money, rupiah
from portal.instances.models import Instance
from portal.invoices.models import Document
from portal.notices.models import Mail, Notice
from portal.payments.models import Payment
from portal.subscriptions.models import Subscription
from portal.wallet.models import AccountKind, AdjustmentRequest, AdjustmentStatus, LedgerAccount, Transaction

SHOWN_MAX = 8


@dataclass(frozen=True)
class Owned:
    """A customer the user acts for, its wallet, and how much is asked to be adjusted and waits."""

    customer: Customer
    role: str
    available: Money
    held: Money
    debt: Money
    waiting: int


@dataclass(frozen=True)
class Noted:
    """A line of the audit log with the name of who did it."""

    entry: AuditEntry
    actor: str | None


@dataclass(frozen=True)
class Story:
    """All of it, each list newest first and at most `SHOWN_MAX` long."""

    user: User
    owned: list[Owned]
    transactions: Sequence[Transaction]
    subscriptions: Sequence[Subscription]
    instances: Sequence[Instance]
    payments: Sequence[Payment]
    documents: Sequence[Document]
    notices: Sequence[Notice]
    mails: Sequence[Mail]
    sessions: Sequence[UserSession]
    audit: list[Noted]

    @property
    def customer(self) -> Customer | None:
        """The one that money and apps belong to; None for a user who acts for nobody."""
        return self.owned[0].customer if self.owned else None


def user(session: Session, user_id: UUID) -> User:
    """One user; raises `UserNotFound`."""
    found = session.get(User, user_id)
    if found is None:
        raise UserNotFound
    return found


def owner_id(session: Session, customer_id: UUID) -> UUID:
    """Who owns a customer, the first of several; raises `UserNotFound`."""
    statement = sa.select(Membership.user_id).where(
        Membership.customer_id == customer_id, Membership.role == MembershipRole.OWNER
    )
    found = session.scalar(statement.order_by(Membership.user_id).limit(1))
    if found is None:
        raise UserNotFound
    return found


def story(session: Session, user_id: UUID, *, now: datetime) -> Story:
    """A user's story; raises `UserNotFound`."""
    person, owned = user(session, user_id), _owned(session, user_id)
    ids = [one.customer.id for one in owned]
    return Story(
        user=person,
        owned=owned,
        transactions=_newest(session, Transaction, ids),
        subscriptions=_newest(
            session, Subscription, ids, joinedload(Subscription.service), joinedload(Subscription.plan)
        ),
        instances=_newest(session, Instance, ids),
        payments=_newest(session, Payment, ids),
        documents=_newest(session, Document, ids),
        notices=_newest(session, Notice, ids),
        mails=_mails(session, person),
        sessions=accounts.live_sessions(session, user_id, now=now)[:SHOWN_MAX],
        audit=_noted(session, user_id, ids),
    )


def _owned(session: Session, user_id: UUID) -> list[Owned]:
    figures = [_balance(kind) for kind in (AccountKind.AVAILABLE, AccountKind.HELD, AccountKind.RECEIVABLE)]
    waiting = (
        sa.select(sa.func.count())
        .where(AdjustmentRequest.customer_id == Customer.id, AdjustmentRequest.status == AdjustmentStatus.WAITING)
        .scalar_subquery()
    )
    statement = (
        sa.select(Customer, Membership.role, *figures, waiting)
        .join(Membership, Membership.customer_id == Customer.id)
        .where(Membership.user_id == user_id)
        .order_by(Customer.id)
    )
    return [
        Owned(row[0], row[1], rupiah(row[2]), rupiah(row[3]), rupiah(-row[4]), row[5])
        for row in session.execute(statement)
    ]


def _balance(kind: AccountKind) -> sa.ColumnElement[int]:
    balance = sa.select(LedgerAccount.balance).where(
        LedgerAccount.customer_id == Customer.id, LedgerAccount.kind == kind, LedgerAccount.currency == IDR
    )
    return sa.func.coalesce(balance.scalar_subquery(), 0)


def _newest(session: Session, model: Any, customer_ids: Sequence[UUID], *options: Any) -> Sequence[Any]:
    if not customer_ids:
        return []
    statement = sa.select(model).options(*options).where(model.customer_id.in_(customer_ids))
    return session.scalars(statement.order_by(model.created_at.desc(), model.id.desc()).limit(SHOWN_MAX)).all()


def _mails(session: Session, person: User) -> Sequence[Mail]:
    """What was mailed to this person, and to their address before anybody knew whose it was."""
    known = _few(Mail.id, Mail.created_at, Mail.user_id == person.id)
    unknown = _few(Mail.id, Mail.created_at, Mail.to_address == person.email, Mail.user_id.is_(None))
    statement = sa.select(Mail).where(Mail.id.in_(sa.union(known, unknown)))
    return session.scalars(statement.order_by(Mail.created_at.desc(), Mail.id.desc()).limit(SHOWN_MAX)).all()


def _noted(session: Session, user_id: UUID, customer_ids: Sequence[UUID]) -> list[Noted]:
    """What they did, and what was done to them and to their customers."""
    at, kind, subject = AuditEntry.happened_at, AuditEntry.subject_kind, AuditEntry.subject_id
    owned = [str(customer_id) for customer_id in customer_ids]
    parts = [
        _few(AuditEntry.id, at, AuditEntry.actor_id == user_id),
        _few(AuditEntry.id, at, kind == "user", subject == str(user_id)),
        _few(AuditEntry.id, at, kind == "customer", subject.in_(owned)),
    ]
    statement = (
        sa.select(AuditEntry, User.name)
        .outerjoin(User, User.id == AuditEntry.actor_id)
        .where(AuditEntry.id.in_(sa.union(*parts)))
        .order_by(at.desc(), AuditEntry.id.desc())
        .limit(SHOWN_MAX)
    )
    return [Noted(entry, name) for entry, name in session.execute(statement)]


def _few(identity: Any, at: Any, *conditions: Any) -> sa.Select[Any]:
    """The newest by one index each: an OR over two would read everything either finds."""
    return sa.select(identity).where(*conditions).order_by(at.desc()).limit(SHOWN_MAX)
