"""A drill: what the gateway's answers would do to a payment. It runs the very verb that books them, and is rolled
back by its caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.money import Money
from portal.payments import actions, rules
from portal.payments.actions import Recorded
from portal.payments.gateways import Answer
from portal.payments.models import Payment, PaymentAttempt
from portal.wallet import queries as wallet
from portal.wallet.models import JournalEntry


@dataclass(frozen=True)
class Figures:
    """What a notification could change."""

    status: str
    credit: Money
    entries: int  # about this payment


@dataclass(frozen=True)
class Step:
    """One answer and what it did."""

    answer: Answer
    meaning: rules.Meaning
    recorded: Recorded


@dataclass(frozen=True)
class Rehearsed:
    """A whole drill, seen from inside its transaction."""

    before: Figures
    steps: list[Step]
    inside: Figures


def rehearse(
    session: Session, attempt_id: UUID, answers: Sequence[Answer], *, asked_at: datetime, now: datetime
) -> Rehearsed:
    """Records each answer as the job would. The caller rolls the transaction back."""
    payment = _payment(session, attempt_id)
    before = figures(session, attempt_id)
    steps = []
    for answer in answers:
        recorded = actions.record_answer(session, attempt_id, answer, asked_at=asked_at, now=now)
        steps.append(Step(answer, rules.meaning(answer, expected=payment.money), recorded))
    session.flush()
    return Rehearsed(before, steps, figures(session, attempt_id))


def figures(session: Session, attempt_id: UUID) -> Figures:
    """The payment's state, its customer's credit, and how many entries are about it, as they stand."""
    payment = _payment(session, attempt_id)
    entries = select(func.count()).where(
        JournalEntry.reference_kind == "payment", JournalEntry.reference_id == payment.id
    )
    session.refresh(payment)
    return Figures(payment.status, wallet.available(session, payment.customer_id), session.scalar(entries) or 0)


def _payment(session: Session, attempt_id: UUID) -> Payment:
    statement = select(Payment).join(PaymentAttempt).where(PaymentAttempt.id == attempt_id)
    return session.scalars(statement).one()
