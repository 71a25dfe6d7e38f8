"""The verbs of promo codes: redeem, and for operators make, edit and switch.

Locks are taken in the house's one order: customer, promo code, wallet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.accounts.identities import all_verified, digests, owners
from portal.accounts.models import Customer
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.promotions.errors import (
    CodeEnded,
    CodeForNewcomers,
    CodeNeedsEmail,
    CodeRefused,
    CodeUsedByYou,
    CodeUsedUp,
    FewerThanRedeemed,
    PromoCodeNotFound,
    PromoCodeTaken,
)
from portal.promotions.models import PromoClaim, PromoCode, PromoRedemption
from portal.promotions.rules import CodeState, normal_code, state_of
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import AccountKind, EntryKind, Transaction, TransactionType

REFUSALS: dict[CodeState, type[CodeRefused]] = {
    CodeState.OFF: CodeRefused,
    CodeState.PLANNED: CodeRefused,
    CodeState.ENDED: CodeEnded,
    CodeState.USED_UP: CodeUsedUp,
}
OWN_CREDIT = (TransactionType.TOP_UP, TransactionType.OPENING_BALANCE)


def redeem(session: Session, customer_id: UUID, typed: str, *, now: datetime) -> PromoRedemption:
    """Gives the code's credit: once per customer and person, and never more often than the code allows.

    It pays a debt first and wakes whatever waits for credit, like every credit. Raises a `CodeRefused` that says why,
    after which nothing was given.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    promo = _of_code(session, typed)
    if promo is None:
        raise CodeRefused
    _refuse_used(session, promo, customer_id)
    state = state_of(promo, now=now)
    if state is not CodeState.OPEN:
        raise REFUSALS[state]
    if promo.newcomers_only and _had_credit(session, customer_id):
        raise CodeForNewcomers
    _claim(session, promo, customer_id, now=now)
    _count(session, promo)
    redemption = PromoRedemption(
        id=new_id(), promo_code_id=promo.id, customer_id=customer_id, amount=promo.amount, redeemed_at=now
    )
    entry_id = wallet.give(
        session, customer_id, promo.money, kind=EntryKind.PROMO, source=AccountKind.PROMOTIONS,
        key=f"promo:{redemption.id}", about=Reference("promo_redemption", redemption.id),
        line=Line(TransactionType.PROMO, "promo", {"code": promo.code}), now=now,
    )  # fmt: skip
    assert entry_id is not None, "a fresh key"
    redemption.entry_id = entry_id
    session.add(redemption)
    session.flush()
    return redemption


def _of_code(session: Session, typed: str) -> PromoCode | None:
    code = normal_code(typed)
    statement = select(PromoCode).where(PromoCode.code == code).execution_options(populate_existing=True)
    return session.scalar(statement) if code else None


def _refuse_used(session: Session, promo: PromoCode, customer_id: UUID) -> None:
    mine = exists().where(PromoRedemption.promo_code_id == promo.id, PromoRedemption.customer_id == customer_id)
    if session.scalar(select(mine)):
        raise CodeUsedByYou


def _had_credit(session: Session, customer_id: UUID) -> bool:
    own = exists().where(
        Transaction.customer_id == customer_id,
        Transaction.type.in_(OWN_CREDIT),
        Transaction.entry_id.is_not(None),
    )
    return bool(session.scalar(select(own)))


def _claim(session: Session, promo: PromoCode, customer_id: UUID, *, now: datetime) -> None:
    """Notes the people behind the customer; somebody with their address or number may have been here before."""
    people = owners(session, customer_id)
    if not all_verified(people):
        raise CodeNeedsEmail
    rows = [{"promo_code_id": promo.id, "identity_digest": one, "claimed_at": now} for one in digests(people)]
    statement = upsert(PromoClaim).values(rows).on_conflict_do_nothing().returning(PromoClaim.identity_digest)
    if len(session.scalars(statement).all()) < len(rows):
        raise CodeUsedByYou


def _count(session: Session, promo: PromoCode) -> None:
    """One conditional update: of two who want the last one, the slower is refused."""
    taken = session.scalar(
        update(PromoCode)
        .where(PromoCode.id == promo.id, PromoCode.active, PromoCode.redemptions < PromoCode.redemptions_max)
        .values(redemptions=PromoCode.redemptions + 1)
        .returning(PromoCode.redemptions)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        raise CodeUsedUp


@dataclass(frozen=True)
class Terms:
    """What of a code may change later: it never takes back what was given."""

    note: str
    starts_at: datetime
    ends_at: datetime | None
    redemptions_max: int
    newcomers_only: bool


def add(session: Session, code: str, amount: int, terms: Terms, *, actor: Actor, now: datetime) -> PromoCode:
    """A new code, on at once. `code` is as `rules.normal_code` writes it. Raises `PromoCodeTaken`."""
    values = {"id": new_id(), "code": code, "amount": amount, "created_by": actor.user_id, "created_at": now}
    defaults = {"currency": "IDR", "redemptions": 0, "active": True}
    statement = upsert(PromoCode).values(values | defaults | asdict(terms)).on_conflict_do_nothing()
    if session.scalar(statement.returning(PromoCode.id)) is None:
        raise PromoCodeTaken
    promo = session.get_one(PromoCode, values["id"])
    _note(session, "promo_code.added", promo, None, actor=actor, now=now)
    return promo


def edit(session: Session, promo_id: UUID, terms: Terms, *, actor: Actor, now: datetime) -> PromoCode:
    """Other terms from now on. Raises `PromoCodeNotFound`, `FewerThanRedeemed`."""
    promo = _locked(session, promo_id)
    if terms.redemptions_max < promo.redemptions:
        raise FewerThanRedeemed(redemptions=promo.redemptions)
    before = _facts(promo)
    for name, value in asdict(terms).items():
        setattr(promo, name, value)
    _note(session, "promo_code.edited", promo, before, actor=actor, now=now)
    return promo


def set_active(session: Session, promo_id: UUID, *, active: bool, actor: Actor, now: datetime) -> PromoCode:
    """Switches a code on or off; a repeat changes and notes nothing. Raises `PromoCodeNotFound`."""
    promo = _locked(session, promo_id)
    if promo.active is not active:
        before = _facts(promo)
        promo.active = active
        _note(session, "promo_code.switched_on" if active else "promo_code.switched_off", promo, before,
              actor=actor, now=now)  # fmt: skip
    return promo


def _locked(session: Session, promo_id: UUID) -> PromoCode:
    promo = session.get(PromoCode, promo_id, with_for_update=True, populate_existing=True)
    if promo is None:
        raise PromoCodeNotFound
    return promo


def _facts(promo: PromoCode) -> dict[str, Any]:
    return {
        "amount": promo.amount, "note": promo.note, "starts_at": promo.starts_at.isoformat(),
        "ends_at": promo.ends_at.isoformat() if promo.ends_at else None, "redemptions_max": promo.redemptions_max,
        "newcomers_only": promo.newcomers_only, "active": promo.active,
    }  # fmt: skip


def _note(
    session: Session, action: str, promo: PromoCode, before: dict[str, Any] | None, *, actor: Actor, now: datetime
) -> None:
    audit.changed(
        session, actor, action, subject_kind="promo_code", subject_id=promo.id, before=before, after=_facts(promo),
        now=now, code=promo.code,
    )  # fmt: skip
