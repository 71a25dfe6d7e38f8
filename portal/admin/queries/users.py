"""Reads of users, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer, Membership, User
from portal.core.money import IDR
from portal.wallet.models import AccountKind, LedgerAccount
from portal.web.listings import Listing


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted; None means everything."""

    search: str | None = None
    role: str | None = None
    active: bool | None = None


def listing(wanted: Wanted) -> Listing:
    """Users with the customer they own and its available credit."""
    balance = sa.func.coalesce(LedgerAccount.balance, 0)
    columns: list[Any] = [User, Customer.number, balance.label("balance")]
    statement = (
        sa.select(*columns)
        .outerjoin(Membership, sa.and_(Membership.user_id == User.id, Membership.role == "OWNER"))
        .outerjoin(Customer, Customer.id == Membership.customer_id)
        .outerjoin(LedgerAccount, sa.and_(
            LedgerAccount.customer_id == Customer.id, LedgerAccount.kind == AccountKind.AVAILABLE,
            LedgerAccount.currency == IDR,
        ))
        .where(*_conditions(wanted))
    )  # fmt: skip
    sorts = {"created": User.created_at, "name": User.name, "email": User.email}
    return Listing(statement, User.id, sorts, default="-created")


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.search:
        words = wanted.search.strip()
        named = User.name.icontains(words, autoescape=True), User.email.icontains(words, autoescape=True)
        conditions.append(sa.or_(*named, *_number(words)))
    if wanted.role:
        conditions.append(User.role == wanted.role)
    if wanted.active is not None:
        conditions.append(User.active == wanted.active)
    return conditions


def _number(text: str) -> list[Any]:
    """A customer's number, as it is or in the name of its namespace."""
    digits = text.strip().removeprefix("user-")
    return [Customer.number == int(digits)] if digits.isascii() and digits.isdigit() and len(digits) < 19 else []


def names(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Name and address of each, for a preview."""
    rows = session.execute(sa.select(User.id, User.name, User.email).where(User.id.in_(ids)))
    return {row.id: f"{row.name} ({row.email})" for row in rows}
