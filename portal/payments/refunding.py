"""Sending a top-up back the way it came: the credit is held, the gateway is asked, and only its status moves money.

    REQUESTED ──── the gateway's status shows it ────> DONE
        └───────── the gateway says no ──────────────> REFUSED, and the credit is the customer's again

A refund whose outcome nobody knows stays requested, and its credit held, until the status tells. What the gateway took
is not asked for again, and a later no does not undo it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core import outbox
from portal.core.ids import new_id
from portal.core.money import Money
from portal.payments import locking, rules
from portal.payments.errors import CannotRefund
from portal.payments.models import GatewayTransaction, Payment, PaymentRefund, RefundStatus
from portal.wallet import holds
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType

REFERENCE = "payment_refund"


def request(
    session: Session, payment_id: UUID, transaction_id: UUID, *, amount: Money, reason: str, key: str, actor: Actor,
    now: datetime,
) -> PaymentRefund:  # fmt: skip
    """Holds the customer's credit and queues `jobs.payments.refund`. A repeat returns the first one.

    Raises `NotFound`; `CannotRefund` when the gateway cannot, when more is asked than it holds, while another refund of
    the transaction is under way, and when `key` was used for another; `InsufficientCredit` when it is spent.
    """
    payment, row = locking.transaction_of(session, payment_id, transaction_id)
    known = session.scalar(select(PaymentRefund).where(PaymentRefund.unique_key == key))
    if known is not None and (known.transaction_id, known.amount) == (row.id, amount.amount):
        return known
    if not rules.may_refund(row) or not 0 < amount.amount <= rules.refundable(row):
        raise CannotRefund
    values = {
        "id": new_id(), "transaction_id": row.id, "customer_id": payment.customer_id, "amount": amount.amount,
        "expected_total": row.taken_back + amount.amount, "reason": reason, "status": RefundStatus.REQUESTED,
        "unique_key": key, "asked_by": actor.user_id, "asked_at": now,
    }  # fmt: skip
    statement = upsert(PaymentRefund).values(values).on_conflict_do_nothing().returning(PaymentRefund.id)
    if session.scalar(statement) is None:
        raise CannotRefund
    refund = session.get_one(PaymentRefund, values["id"])
    holds.hold(
        session, payment.customer_id, amount, key=f"{REFERENCE}:{refund.id}:hold", about=_about(refund),
        line=_line(payment, "refund_hold"), now=now,
    )  # fmt: skip
    outbox.enqueue(session, "payments.refund", queue="urgent", refund_id=refund.id)
    _note(session, "payment.refund_asked", payment, refund, actor=actor, now=now)
    return refund


@dataclass(frozen=True)
class Wanted:
    """What the gateway is to be asked."""

    refund_id: UUID
    attempt_id: UUID
    gateway: str
    transaction_id: str  # the gateway's own
    money: Money
    reason: str
    is_accepted: bool


def wanted(session: Session, refund_id: UUID) -> Wanted:
    """A refund as the gateway is asked for it."""
    refund = session.get_one(PaymentRefund, refund_id)
    row = session.get_one(GatewayTransaction, refund.transaction_id)
    return Wanted(refund.id, row.attempt_id, row.gateway, row.transaction_id, refund.money, refund.reason,
                  refund.accepted_at is not None)  # fmt: skip


def is_open(session: Session, refund_id: UUID) -> bool:
    """Is its outcome still to come?"""
    status = select(PaymentRefund.status).where(PaymentRefund.id == refund_id)
    return session.scalars(status).one() == RefundStatus.REQUESTED


@dataclass(frozen=True)
class Try:
    """One of ours at the gateway. `before_at` is when the first was, None for the first itself."""

    before_at: datetime | None


def begin_try(session: Session, refund_id: UUID, *, now: datetime) -> Try | None:
    """Notes, before the gateway is asked, that it may have taken the refund; None when its outcome is known by now."""
    refund = session.get_one(PaymentRefund, refund_id, with_for_update=True, populate_existing=True)
    if refund.status != RefundStatus.REQUESTED:
        return None
    before_at, refund.tried_at = refund.tried_at, refund.tried_at or now
    return Try(before_at)


def accept(session: Session, refund_id: UUID, *, now: datetime) -> None:
    """The gateway said that it took it: from here on it is only looked at. A repeat changes nothing."""
    refund = session.get_one(PaymentRefund, refund_id, with_for_update=True, populate_existing=True)
    refund.accepted_at = refund.accepted_at or now


def forgotten(session: Session) -> list[UUID]:
    """Refunds without an outcome that no queued work will look at again: its attempts were used up."""
    queued = outbox.is_queued("payments.refund", "refund_id", PaymentRefund.id)
    return list(
        session.scalars(select(PaymentRefund.id).where(PaymentRefund.status == RefundStatus.REQUESTED, ~queued))
    )


def arrived(session: Session, payment: Payment, row: GatewayTransaction, *, total: int, now: datetime) -> None:
    """The gateway's status says that `total` was taken back: a refund that this covers is done, and its hold ends.
    The payment's lock is held; a repeat finds nothing open."""
    refund = _open_one(session, row.id)
    if refund is not None and total >= refund.expected_total:
        _close(session, payment, refund, RefundStatus.DONE, now=now)


def refuse(session: Session, refund_id: UUID, *, gateway_code: str, now: datetime) -> None:
    """The gateway said no: the credit is the customer's again. A repeat, and one that is done, change nothing."""
    found = session.get_one(PaymentRefund, refund_id)
    payment = locking.payment(session, locking.payment_of(session, found.transaction_id))
    refund = session.get_one(PaymentRefund, refund_id, with_for_update=True, populate_existing=True)
    if refund.status == RefundStatus.REQUESTED:
        refund.gateway_code = gateway_code[:40]
        _close(session, payment, refund, RefundStatus.REFUSED, now=now)
        _note(session, "payment.refund_refused", payment, refund, actor=Actor(refund.asked_by), now=now)


def _close(session: Session, payment: Payment, refund: PaymentRefund, status: RefundStatus, *, now: datetime) -> None:
    refund.status, refund.decided_at = status, now
    holds.release(
        session, refund.customer_id, refund.money, key=f"{REFERENCE}:{refund.id}:release", about=_about(refund),
        line=_line(payment, "refund_sent" if status is RefundStatus.DONE else "refund_refused"), now=now,
    )  # fmt: skip


def _open_one(session: Session, transaction_id: UUID) -> PaymentRefund | None:
    statement = select(PaymentRefund).where(
        PaymentRefund.transaction_id == transaction_id, PaymentRefund.status == RefundStatus.REQUESTED
    )
    return session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def _about(refund: PaymentRefund) -> Reference:
    return Reference(REFERENCE, refund.id)


def _line(payment: Payment, code: str) -> Line:
    return Line(TransactionType.HOLD, code, {"method": payment.method})


def _note(
    session: Session, action: str, payment: Payment, refund: PaymentRefund, *, actor: Actor, now: datetime
) -> None:
    facts: dict[str, Any] = {"refund": str(refund.id), "amount": refund.amount, "reason": refund.reason}
    if refund.gateway_code:
        facts["gateway_code"] = refund.gateway_code
    audit.changed(
        session, actor, action, subject_kind="payment", subject_id=payment.id, now=now, after={"status": refund.status},
        **facts,
    )  # fmt: skip
