"""Reads of top-ups, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from portal.accounts.models import Customer
from portal.admin.queries import customers
from portal.audit.models import AuditEntry
from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.core.money import Money
from portal.invoices.models import Document
from portal.payments import rules
from portal.payments.models import (
    GatewayEvent,
    GatewayTransaction,
    Payment,
    PaymentAttempt,
    PaymentRefund,
    RefundStatus,
)
from portal.wallet import queries as wallet
from portal.wallet.models import JournalEntry
from portal.web.listings import Listing

EVENTS_SHOWN_MAX = 200


def listing(conditions: Sequence[Any]) -> Listing:
    """Top-ups with whose they are and the order of the latest attempt."""
    statement: Any = (
        sa.select(Payment, _latest_order(), *customers.columns())
        .outerjoin(Customer, Customer.id == Payment.customer_id)
        .where(*conditions)
    )
    return Listing(statement, Payment.id, {"created": Payment.created_at, "amount": Payment.amount}, default="-created")


def _latest_order() -> Any:
    orders = sa.select(PaymentAttempt.order_id).where(PaymentAttempt.payment_id == Payment.id)
    return orders.order_by(PaymentAttempt.number.desc()).limit(1).scalar_subquery().label("order_id")


def searched(session: Session, text: str) -> list[Any]:
    """Conditions for an order id, a payment's or a gateway transaction's id, a customer's number or address."""
    if not text:
        return []
    wanted = parse_id(text)
    ids = ids_of(session, text) + ([wanted] if wanted else [])
    if ids:
        return [Payment.id.in_(ids)]
    return [Payment.customer_id.in_(customers.ids_of(session, text))]


def ids_of(session: Session, reference: str) -> list[UUID]:
    """Payments behind an order id or a gateway's transaction id."""
    by_order = sa.select(PaymentAttempt.payment_id).where(PaymentAttempt.order_id == reference)
    by_transaction = (
        sa.select(PaymentAttempt.payment_id)
        .join(GatewayTransaction, GatewayTransaction.attempt_id == PaymentAttempt.id)
        .where(GatewayTransaction.transaction_id == reference)
    )
    return list(session.scalars(by_order.union(by_transaction)))


@dataclass(frozen=True)
class PaymentPage:
    """All that is known about one payment."""

    payment: Payment
    whose: Any
    transactions: list[GatewayTransaction]
    events: list[Any]
    entries: list[JournalEntry]
    documents: list[Document]
    notes: list[AuditEntry]
    refunds: list[PaymentRefund]
    available: Money  # the customer's credit now

    def creditable(self, row: GatewayTransaction) -> bool:
        """May a person credit what arrived? The rule that the action enforces."""
        return rules.may_credit_as_paid(row, expected=self.payment.money)

    def rejectable(self, row: GatewayTransaction) -> bool:
        return rules.may_reject(row, expected=self.payment.money)

    def refunds_of(self, row: GatewayTransaction) -> list[PaymentRefund]:
        """What was asked of the gateway about a transaction, oldest first."""
        return [one for one in self.refunds if one.transaction_id == row.id]

    def refundable(self, row: GatewayTransaction) -> int:
        """The most that may be asked for now: what the gateway holds, and the customer has not spent. The rule that the
        action enforces."""
        under_way = any(one.status == RefundStatus.REQUESTED for one in self.refunds_of(row))
        return 0 if under_way or not rules.may_refund(row) else min(rules.refundable(row), self.available.amount)

    def refundable_elsewhere(self, row: GatewayTransaction) -> bool:
        """Money that we have and the gateway cannot be asked about from here."""
        return bool(row.rejected_at) or (rules.refundable(row) > 0 and not rules.may_refund(row))


def payment_page(session: Session, payment_id: UUID) -> PaymentPage:
    """One payment with everything under it; raises `NotFound`."""
    statement = sa.select(Payment).options(selectinload(Payment.attempts)).where(Payment.id == payment_id)
    payment = session.scalar(statement.execution_options(populate_existing=True))
    if payment is None:
        raise NotFound
    attempts = [attempt.id for attempt in payment.attempts]
    transactions = list(session.scalars(_transactions(attempts)))
    return PaymentPage(
        payment=payment,
        whose=customers.whose(session, payment.customer_id),
        transactions=transactions,
        events=events_of(session, [attempt.order_id for attempt in payment.attempts]),
        entries=list(session.scalars(_entries(payment_id))),
        documents=list(session.scalars(_receipts([row.id for row in transactions]))),
        notes=list(session.scalars(_notes(payment_id))),
        refunds=list(session.scalars(_refunds([row.id for row in transactions]))),
        available=wallet.available(session, payment.customer_id),
    )


def _transactions(attempts: Sequence[UUID]) -> Any:
    statement = sa.select(GatewayTransaction).where(GatewayTransaction.attempt_id.in_(attempts))
    return statement.order_by(GatewayTransaction.first_seen_at, GatewayTransaction.id).execution_options(
        populate_existing=True
    )


def events_of(session: Session, orders: Sequence[str]) -> list[Any]:
    """Notifications about these orders, newest first, with their raw bodies."""
    statement = sa.select(GatewayEvent).where(GatewayEvent.order_id.in_(orders))
    newest = statement.order_by(GatewayEvent.received_at.desc(), GatewayEvent.id.desc())
    return list(session.scalars(newest.limit(EVENTS_SHOWN_MAX).execution_options(populate_existing=True)))


def _entries(payment_id: UUID) -> Any:
    about = JournalEntry.reference_kind == "payment", JournalEntry.reference_id == payment_id
    return sa.select(JournalEntry).where(*about).order_by(JournalEntry.happened_at, JournalEntry.id)


def _receipts(transactions: Sequence[UUID]) -> Any:
    return sa.select(Document).where(
        Document.reference_kind == "gateway_transaction", Document.reference_id.in_(transactions)
    )


def _refunds(transactions: Sequence[UUID]) -> Any:
    statement = sa.select(PaymentRefund).where(PaymentRefund.transaction_id.in_(transactions))
    return statement.order_by(PaymentRefund.asked_at, PaymentRefund.id).execution_options(populate_existing=True)


def _notes(payment_id: UUID) -> Any:
    about = AuditEntry.subject_kind == "payment", AuditEntry.subject_id == str(payment_id)
    return sa.select(AuditEntry).where(*about).order_by(AuditEntry.happened_at.desc()).limit(50)
