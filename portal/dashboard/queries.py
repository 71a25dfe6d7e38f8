"""Reads shaped for the customer's home page and for the chip every signed-in page shows."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import User
from portal.core.money import Money, rupiah
from portal.notices.models import Notice
from portal.wallet.models import AccountKind, LedgerAccount


@dataclass(frozen=True)
class Chip:
    """What stands at the top of every signed-in page."""

    balance: Money
    unread: int


def chip(session: Session, user: User) -> Chip | None:
    """Balance and unread notices in one query; None for a user without a customer."""
    customer = g.get("customer")
    if customer is None:
        return None
    balance = (
        select(LedgerAccount.balance)
        .where(LedgerAccount.customer_id == customer.id, LedgerAccount.kind == AccountKind.AVAILABLE)
        .scalar_subquery()
    )
    unread = (
        select(func.count())
        .where(Notice.customer_id == customer.id, Notice.read_at.is_(None))
        .scalar_subquery()
    )
    row = session.execute(select(balance, unread)).one()
    return Chip(rupiah(row[0] or 0), row[1])
