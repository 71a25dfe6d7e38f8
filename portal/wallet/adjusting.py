"""Corrections of a wallet by administrators: one alone up to a limit, above it two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer, Membership, Role, User
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.money import Money, rupiah
from portal.notices import actions as notices
from portal.wallet import actions as wallet
from portal.wallet.errors import (
    AdjustmentDecided,
    AdjustmentNotCovered,
    AdjustmentNotFound,
    AdjustmentRefused,
    DecidedByAnother,
    OwnWallet,
)
from portal.wallet.ledger import Wallet, lock_wallet
from portal.wallet.models import AdjustmentRequest, AdjustmentStatus, JournalEntry
from portal.wallet.rules import ADJUSTMENT_MAX, ADJUSTMENT_WINDOW, may_adjust_alone, split_credit

REASON_LENGTH_MIN, REASON_LENGTH_MAX = 5, 200


@dataclass(frozen=True)
class Preview:
    """What an adjustment would do now: the balance before and after, and whether another administrator decides."""

    before: Money
    after: Money
    pays_debt: Money
    alone: bool


def preview(session: Session, customer_id: UUID, amount: Money, *, actor: Actor, now: datetime) -> Preview:
    """What `request` would do; raises what it would raise. It opens the wallet when there is none: roll it back."""
    _check(session, customer_id, amount, actor=actor)
    return _effect(session, lock_wallet(session, customer_id, now=now), amount, actor=actor, now=now)


def request(
    session: Session, customer_id: UUID, amount: Money, *, reason: str, key: str, actor: Actor, now: datetime
) -> AdjustmentRequest:
    """Asks for a correction (signed), once per `key`: booked at once within the actor's limit, else it waits for
    another administrator. A repeat returns what the first call made.

    Raises `AdjustmentRefused`, `OwnWallet`, `AdjustmentNotCovered`. The wallet's lock makes requests for one customer
    follow each other, so that two at once do not both fit under the limit.
    """
    reason = _checked_reason(reason)
    _check(session, customer_id, amount, actor=actor)
    held = lock_wallet(session, customer_id, now=now)
    known = session.scalar(select(AdjustmentRequest).where(AdjustmentRequest.unique_key == key))
    if known is not None:
        return _same(known, customer_id, amount, actor)
    effect = _effect(session, held, amount, actor=actor, now=now)
    asked = AdjustmentRequest(
        customer_id=customer_id, amount=amount.amount, reason=reason, asked_by=actor.user_id, asked_at=now,
        unique_key=key, status=AdjustmentStatus.WAITING,
    )  # fmt: skip
    session.add(asked)
    session.flush()
    if effect.alone:
        _book(session, asked, effect, decided_by=None, now=now)
    else:
        _ask_others(session, asked, now=now)
    _note(session, "adjustment.booked" if effect.alone else "adjustment.asked", asked, effect, actor=actor, now=now)
    return asked


def approve(session: Session, request_id: UUID, *, actor: Actor, now: datetime) -> AdjustmentRequest:
    """Another administrator books what waits. Raises `AdjustmentDecided` for what was decided already, also to the
    slower of two at once, `DecidedByAnother`, `OwnWallet`, and `AdjustmentNotCovered`, after which it still waits."""
    asked = _waiting(session, request_id, actor=actor)
    held = lock_wallet(session, asked.customer_id, now=now)
    effect = _effect(session, held, asked.money, actor=actor, now=now)
    _book(session, asked, effect, decided_by=actor.user_id, now=now)
    _note(session, "adjustment.approved", asked, effect, actor=actor, now=now)
    return asked


def reject(session: Session, request_id: UUID, *, actor: Actor, now: datetime) -> AdjustmentRequest:
    """Another administrator says no: nothing is booked. Raises as `approve` does."""
    asked = _waiting(session, request_id, actor=actor)
    asked.status, asked.decided_by, asked.decided_at = AdjustmentStatus.REJECTED, actor.user_id, now
    _note(session, "adjustment.rejected", asked, None, actor=actor, now=now)
    return asked


def may_decide(session: Session, asked: AdjustmentRequest, actor: Actor) -> bool:
    """Whether this administrator may approve or reject: another one asked, and the wallet is not their own."""
    return asked.waiting and asked.asked_by != actor.user_id and not _owns(session, asked.customer_id, actor)


def _check(session: Session, customer_id: UUID, amount: Money, *, actor: Actor) -> None:
    if not amount or abs(amount.amount) > ADJUSTMENT_MAX:
        raise AdjustmentRefused(_l("Enter an amount, at most %(most)s.", most=str(rupiah(ADJUSTMENT_MAX))))
    if session.get(Customer, customer_id) is None:
        raise AdjustmentNotFound
    if _owns(session, customer_id, actor):
        raise OwnWallet


def _owns(session: Session, customer_id: UUID, actor: Actor) -> bool:
    statement = select(Membership.user_id).where(
        Membership.customer_id == customer_id, Membership.user_id == actor.user_id
    )
    return session.scalar(statement) is not None


def _checked_reason(text: str) -> str:
    reason = " ".join(text.split())
    if not REASON_LENGTH_MIN <= len(reason) <= REASON_LENGTH_MAX or not reason.isprintable():
        raise AdjustmentRefused(
            _l("Say why, in %(least)s to %(most)s characters.", least=REASON_LENGTH_MIN, most=REASON_LENGTH_MAX)
        )
    return reason


def _effect(session: Session, held: Wallet, amount: Money, *, actor: Actor, now: datetime) -> Preview:
    before = held.spendable
    if amount.amount < 0 and before < -amount:
        raise AdjustmentNotCovered(needed=-amount, available=before)
    debt_paid = split_credit(amount.amount, debt=held.debt).receivable if amount.amount > 0 else 0
    customer_id = held.available.customer_id
    assert customer_id is not None, "a wallet has an owner"
    alone = may_adjust_alone(
        amount.amount, limit=settings().adjustment_limit,
        booked_alone=booked_alone(session, customer_id, actor.user_id, now=now),
    )  # fmt: skip
    return Preview(before, before + amount - rupiah(debt_paid), rupiah(debt_paid), alone)


def booked_alone(session: Session, customer_id: UUID, user_id: UUID, *, now: datetime) -> int:
    """Rupiah, without signs, that an administrator booked alone for a customer within the window."""
    statement = select(func.coalesce(func.sum(func.abs(AdjustmentRequest.amount)), 0)).where(
        AdjustmentRequest.customer_id == customer_id,
        AdjustmentRequest.asked_at > now - ADJUSTMENT_WINDOW,
        AdjustmentRequest.asked_by == user_id,
        AdjustmentRequest.status == AdjustmentStatus.BOOKED,
        AdjustmentRequest.decided_by.is_(None),
    )
    return int(session.scalars(statement).one())


def _same(known: AdjustmentRequest, customer_id: UUID, amount: Money, actor: Actor) -> AdjustmentRequest:
    """The first use of a key, which is the answer to a repeat and to nothing else."""
    if (known.customer_id, known.amount, known.asked_by) != (customer_id, amount.amount, actor.user_id):
        raise AdjustmentRefused(_l("This form was used already. Open a new one."))
    return known


def _waiting(session: Session, request_id: UUID, *, actor: Actor) -> AdjustmentRequest:
    asked = session.get(AdjustmentRequest, request_id, with_for_update=True, populate_existing=True)
    if asked is None:
        raise AdjustmentNotFound
    if not asked.waiting:
        raise AdjustmentDecided
    if asked.asked_by == actor.user_id:
        raise DecidedByAnother
    if _owns(session, asked.customer_id, actor):
        raise OwnWallet
    return asked


def _book(
    session: Session, asked: AdjustmentRequest, effect: Preview, *, decided_by: UUID | None, now: datetime
) -> None:
    key = f"adjustment:{asked.id}"
    wallet.adjust(session, asked.customer_id, asked.money, key=key, reason=asked.reason, now=now)
    asked.entry_id = session.scalars(select(JournalEntry.id).where(JournalEntry.idempotency_key == key)).one()
    asked.status, asked.decided_by, asked.decided_at = AdjustmentStatus.BOOKED, decided_by, now
    session.flush()
    _tell(session, asked, effect, now=now)


def _tell(session: Session, asked: AdjustmentRequest, effect: Preview, *, now: datetime) -> None:
    code = "adjustment_credited" if asked.amount > 0 else "adjustment_debited"
    notices.tell(
        session, customer_id=asked.customer_id, code=code, unique_key=f"adjustment:{asked.id}", now=now,
        parameters={
            "amount": abs(asked.amount), "explanation": asked.reason, "balance": effect.after.amount,
            "debt_paid": effect.pays_debt.amount,
        },
    )  # fmt: skip


def _ask_others(session: Session, asked: AdjustmentRequest, *, now: datetime) -> None:
    """Mails every other open administrator that something waits for them."""
    people = session.scalars(select(User).where(User.role == Role.ADMINISTRATOR, User.active)).all()
    names = {one.id: one.name for one in people}
    customer = session.get_one(Customer, asked.customer_id)
    for one in people:
        if one.id != asked.asked_by:
            notices.send_mail(
                session, to_address=one.email, language=one.language, code="adjustment_waits", now=now, user_id=one.id,
                unique_key=f"adjustment_waits:{asked.id}:{one.id}",
                parameters={
                    "recipient": one.name, "asker": names.get(asked.asked_by, ""), "customer": customer.name,
                    "change": str(asked.money), "explanation": asked.reason, "request_id": str(asked.id),
                },
            )  # fmt: skip


def _note(
    session: Session, action: str, asked: AdjustmentRequest, effect: Preview | None, *, actor: Actor, now: datetime
) -> None:
    booked = effect is not None and asked.status == AdjustmentStatus.BOOKED
    audit.changed(
        session, actor, action, subject_kind="customer", subject_id=asked.customer_id, now=now,
        before={"available": effect.before.amount} if booked and effect else None,
        after={"available": effect.after.amount} if booked and effect else None,
        request=str(asked.id), amount=asked.amount, reason=asked.reason, status=asked.status,
    )  # fmt: skip
