"""What an administrator does to a customer's subscription: the customer's own verbs, written into the audit log.

Locks are taken in the house's one order: customer, subscription, charges, wallet.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound
from portal.core.money import Money
from portal.invoices.models import Document, Series
from portal.notices import actions as notices
from portal.subscriptions.actions import cancelling, renewing
from portal.subscriptions.actions.charging import REFERENCE
from portal.subscriptions.actions.living import locked_own
from portal.subscriptions.actions.refunding import refund_charge
from portal.subscriptions.actions.under_way import refuse_during_change
from portal.subscriptions.errors import NothingToCharge, NothingToCredit, SubscriptionNotFound
from portal.subscriptions.models import Subscription, SubscriptionCharge
from portal.subscriptions.rules.refunds import Agreed
from portal.wallet import queries as wallet


def cancel_at_end(
    session: Session, subscription_id: UUID, *, reason: str, actor: Actor, now: datetime
) -> Subscription:  # fmt: skip
    """`request_cancellation` by an administrator; a repeat changes nothing."""
    one = _found(session, subscription_id)
    before = _state(one)
    cancelling.request_cancellation(session, subscription_id, one.customer_id, now=now)
    return _noted(session, actor, "subscription.cancellation_requested", one, before, now=now, reason=reason)


def undo_cancellation(session: Session, subscription_id: UUID, *, actor: Actor, now: datetime) -> Subscription:
    """Takes a cancellation back before it takes effect; without one nothing changes."""
    one = _found(session, subscription_id)
    before = _state(one)
    cancelling.undo_cancellation(session, subscription_id, one.customer_id, now=now)
    return _noted(session, actor, "subscription.cancellation_undone", one, before, now=now)


def cancel_now(
    session: Session, subscription_id: UUID, *, agreed: Agreed, reason: str, actor: Actor, now: datetime
) -> Subscription:
    """Ends it at once for exactly the refund that was shown. A repeat changes nothing. Raises what the customer's own
    `cancel_now` raises."""
    one = _found(session, subscription_id)
    before = _state(one)
    cancelling.cancel_now(session, subscription_id, one.customer_id, agreed=agreed, now=now)
    refund = agreed.refund.amount
    return _noted(session, actor, "subscription.cancelled", one, before, now=now, reason=reason, refund=refund)


def charge_now(session: Session, subscription_id: UUID, *, actor: Actor, now: datetime) -> Subscription:
    """Tries at once what the clock would try: an overdue period, or the way back of what waits for credit.

    Every period is charged once, whoever asks. Raises `NothingToCharge` when nothing is owed; too little credit is no
    error, but a try that is noted.
    """
    one = _found(session, subscription_id)
    before = _state(one)
    if subscription_id in renewing.owing(session, one.customer_id):
        step = renewing.pay_owed(session, subscription_id, now=now)
    elif one.due_at is not None and one.due_at <= now:
        step = renewing.run_alone(session, subscription_id, now=now)
    else:
        raise NothingToCharge
    session.refresh(one)
    return _noted(session, actor, "subscription.charged", one, before, now=now, step=str(step or "none"))


def credit_invoice(
    session: Session, document_id: UUID, amount: Money, *, credited_before: int, reason: str, actor: Actor,
    now: datetime,
) -> UUID:  # fmt: skip
    """Gives back a part or the rest of an invoice to the wallet, with a credit note; returns the note's id.

    The invoice keeps its number and its state for ever. `credited_before` is what was credited of it when the
    administrator looked: the same form sent twice is refused the second time. Raises `NothingToCredit`, `NotFound`,
    `PlanChangeUnderWay`.
    """
    invoice, charge, one = _invoiced(session, document_id)
    refuse_during_change(session, one.id)
    fits = 0 < amount.amount <= charge.amount - charge.refunded
    if charge.refunded != credited_before or not fits:
        raise NothingToCredit
    note_id = refund_charge(session, one, charge, amount, code="invoice_credit", now=now)
    notices.tell(
        session, customer_id=one.customer_id, code="invoice_credited", now=now, document_id=note_id,
        unique_key=f"invoice_credited:{note_id}", parameters={"amount": amount.amount, "number": invoice.label},
    )  # fmt: skip
    audit.changed(
        session, actor, "invoice.credited", subject_kind="document", subject_id=invoice.id, now=now, reason=reason,
        before={"credited": credited_before}, after={"credited": charge.refunded}, number=invoice.label,
        credit_note_id=str(note_id),
    )  # fmt: skip
    return note_id


def _invoiced(session: Session, document_id: UUID) -> tuple[Document, SubscriptionCharge, Subscription]:
    """An issued invoice with its charge and its subscription, locked; other documents cannot be credited."""
    invoice = session.get(Document, document_id)
    if invoice is None:
        raise NotFound
    if invoice.series != Series.INVOICE or not invoice.issued or invoice.reference_kind != REFERENCE:
        raise NothingToCredit
    session.get_one(Customer, invoice.customer_id, with_for_update=ROW_LOCK)
    belongs = select(SubscriptionCharge.subscription_id).where(SubscriptionCharge.id == invoice.reference_id)
    one = locked_own(session, session.scalars(belongs).one(), invoice.customer_id)
    charge = session.get_one(
        SubscriptionCharge, invoice.reference_id, with_for_update=True, populate_existing=True
    )  # fmt: skip
    return invoice, charge, one


def _found(session: Session, subscription_id: UUID) -> Subscription:
    """The customer's row is held first, as by everybody."""
    customer_id = session.scalar(select(Subscription.customer_id).where(Subscription.id == subscription_id))
    if customer_id is None:
        raise SubscriptionNotFound
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    return locked_own(session, subscription_id, customer_id)


def _state(one: Subscription) -> dict[str, Any]:
    asked = one.cancel_requested_at
    return {
        "status": str(one.status), "period": one.period_number,
        "cancel_requested_at": asked.isoformat() if asked else None,
    }  # fmt: skip


def _noted(
    session: Session, actor: Actor, action: str, one: Subscription, before: dict[str, Any], *, now: datetime,
    **facts: Any,
) -> Subscription:  # fmt: skip
    audit.changed(
        session, actor, action, subject_kind="subscription", subject_id=one.id, now=now, before=before,
        after=_state(one), credit=wallet.available(session, one.customer_id).amount, **facts,
    )  # fmt: skip
    return one
