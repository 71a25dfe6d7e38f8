"""Reads of promo codes, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer, Membership, User
from portal.promotions.errors import PromoCodeNotFound
from portal.promotions.models import PromoCode, PromoRedemption
from portal.promotions.rules import CodeState
from portal.web.listings import Listing

REDEMPTIONS_SHOWN_MAX = 100


def listing(*, search: str | None = None, state: str | None = None, now: datetime) -> Listing:
    """Every code with who made it, newest first."""
    statement = sa.select(PromoCode, User.name.label("maker")).outerjoin(User, User.id == PromoCode.created_by)
    if search:
        found = PromoCode.code.icontains(search, autoescape=True) | PromoCode.note.icontains(search, autoescape=True)
        statement = statement.where(found)
    if state:
        statement = statement.where(_in_state(now) == state)
    order = {"made": PromoCode.created_at, "code": PromoCode.code, "redeemed": PromoCode.redemptions}
    return Listing(statement, PromoCode.id, order, default="-made")


def _in_state(now: datetime) -> sa.ColumnElement[str]:
    """`rules.state_of`, as the database decides it."""
    return sa.case(
        (~PromoCode.active, CodeState.OFF.value),
        (PromoCode.ends_at <= now, CodeState.ENDED.value),
        (PromoCode.redemptions >= PromoCode.redemptions_max, CodeState.USED_UP.value),
        (PromoCode.starts_at > now, CodeState.PLANNED.value),
        else_=CodeState.OPEN.value,
    )


def one(session: Session, promo_id: UUID) -> PromoCode:
    """One of them; raises `PromoCodeNotFound`."""
    found = session.get(PromoCode, promo_id, populate_existing=True)
    if found is None:
        raise PromoCodeNotFound
    return found


def redemptions(session: Session, promo_id: UUID) -> Sequence[Any]:
    """Who redeemed it, newest first, at most `REDEMPTIONS_SHOWN_MAX`: when, how much, the customer and their user."""
    owner = (
        sa.select(Membership.user_id)
        .where(Membership.customer_id == Customer.id, Membership.role == "OWNER")
        .order_by(Membership.user_id)
        .limit(1)
        .scalar_subquery()
    )
    columns: list[Any] = [PromoRedemption, Customer.name, Customer.number, owner.label("owner_id")]
    statement = (
        sa.select(*columns)
        .join(Customer, Customer.id == PromoRedemption.customer_id)
        .where(PromoRedemption.promo_code_id == promo_id)
        .order_by(PromoRedemption.redeemed_at.desc(), PromoRedemption.id.desc())
    )
    return session.execute(statement.limit(REDEMPTIONS_SHOWN_MAX)).all()
