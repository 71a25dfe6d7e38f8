"""Giving back what a subscription was charged: to the wallet, by new entries, each with a credit note of its own.

The caller holds the subscription's row, so that two refunds of one charge never meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.catalog.models import Service
from portal.core.money import Money
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.models import Document, Series
from portal.subscriptions.models import Subscription, SubscriptionCharge
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType


@dataclass(frozen=True)
class Refund:
    """What was given back, in whole rupiah, and the credit notes that say so, in the order they were drafted."""

    amount: int = 0
    credit_note_ids: tuple[UUID, ...] = ()

    @property
    def credit_note_id(self) -> UUID | None:
        """The one to mail with the news; None when nothing was given back."""
        return next(iter(self.credit_note_ids), None)


def refund_charge(
    session: Session, subscription: Subscription, charge: SubscriptionCharge, amount: Money, *, code: str, now: datetime
) -> UUID:
    """Gives back `amount` of a charge, the whole or a further part of it; returns the id of its credit note.

    `code` words the wallet's line and the credit note's. Each part has an entry and a note of its own, under the
    sum given back so far. The amount is more than zero and no more than what is left of the charge.
    """
    assert 0 < amount.amount <= charge.amount - charge.refunded, "no more than was paid"
    assert charge.entry_id is not None, "what was paid has its entry"
    charge.refunded += amount.amount
    words = {"app": _service_name(session, subscription)}
    note = _draft_credit_note(session, subscription, charge, DocumentLine(code, words, amount.amount), now=now)
    wallet.refund_purchase(
        session,
        subscription.customer_id,
        amount,
        ppn=Money(note.ppn, amount.currency),  # at the invoice's rate, whatever today's is
        key=f"refund:{charge.id}:{charge.refunded}",
        about=Reference("subscription_charge", charge.id),
        corrects_id=charge.entry_id,
        line=Line(TransactionType.REFUND, code, {**words, "credit_note_id": str(note.id)}),
        now=now,
    )
    return note.id


def refund_period(session: Session, subscription: Subscription, amount: Money, *, code: str, now: datetime) -> Refund:
    """Gives back up to `amount` of what the running period was charged, the newest charge first."""
    charges = [c for c in _charges(session, subscription) if c.period_number == subscription.period_number]
    return _give_back(session, subscription, charges, amount.amount, code=code, now=now)


def refund_everything(session: Session, subscription: Subscription, *, code: str, now: datetime) -> Refund:
    """Gives back whatever is left of every charge, setup fees included."""
    charges = _charges(session, subscription)
    whole = sum(charge.amount - charge.refunded for charge in charges)
    return _give_back(session, subscription, charges, whole, code=code, now=now)


def _charges(session: Session, subscription: Subscription) -> Sequence[SubscriptionCharge]:
    """Newest first, locked."""
    statement = select(SubscriptionCharge).where(SubscriptionCharge.subscription_id == subscription.id)
    newest = statement.order_by(SubscriptionCharge.charged_at.desc(), SubscriptionCharge.id.desc())
    return session.scalars(newest.with_for_update().execution_options(populate_existing=True)).all()


def _give_back(
    session: Session,
    subscription: Subscription,
    charges: Sequence[SubscriptionCharge],
    amount: int,
    *,
    code: str,
    now: datetime,
) -> Refund:
    refund = Refund()
    for charge in charges:
        part = min(amount - refund.amount, charge.amount - charge.refunded)
        if part > 0:
            note_id = refund_charge(session, subscription, charge, Money(part, charge.currency), code=code, now=now)
            refund = Refund(refund.amount + part, (*refund.credit_note_ids, note_id))
    return refund


def _draft_credit_note(
    session: Session, subscription: Subscription, charge: SubscriptionCharge, line: DocumentLine, *, now: datetime
) -> Document:
    """A note per refund: it refers to the charge and the sum given back so far, and corrects the charge's invoice."""
    invoice_id = session.scalars(
        select(Document.id).where(
            Document.reference_kind == "subscription_charge",
            Document.reference_id == charge.id,
            Document.series == Series.INVOICE,
        )
    ).one()
    return invoices.draft(
        session,
        customer_id=subscription.customer_id,
        series=Series.CREDIT_NOTE,
        reference_kind="subscription_refund",
        reference_id=uuid5(charge.id, str(charge.refunded)),
        lines=[line],
        now=now,
        corrects_id=invoice_id,
    )


def _service_name(session: Session, subscription: Subscription) -> str:
    return session.scalars(select(Service.name).where(Service.id == subscription.service_id)).one()
