"""Reads of adjustments, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from portal.accounts.models import Customer, Membership, User
from portal.core.money import IDR
from portal.wallet.errors import AdjustmentNotFound
from portal.wallet.models import AccountKind, AdjustmentRequest, AdjustmentStatus, LedgerAccount
from portal.web.listings import Listing

WAITING_MAX = 50
_asker, _decider = aliased(User, name="asker"), aliased(User, name="decider")


def listing(*, customer_number: int | None = None, status: str | None = None) -> Listing:
    """What was asked and decided, newest first: the request, its customer, who asked and who decided."""
    statement = _rows()
    if customer_number is not None:
        statement = statement.where(Customer.number == customer_number)
    if status:
        statement = statement.where(AdjustmentRequest.status == status)
    return Listing(statement, AdjustmentRequest.id, {"asked": AdjustmentRequest.asked_at}, default="-asked")


def waiting(session: Session) -> Sequence[Any]:
    """What waits for another administrator, oldest first."""
    statement = _rows().where(AdjustmentRequest.status == AdjustmentStatus.WAITING)
    return session.execute(statement.order_by(AdjustmentRequest.asked_at).limit(WAITING_MAX)).all()


def one(session: Session, request_id: UUID) -> Any:
    """One of them, the wallet's available balance now, and a user who owns it; raises `AdjustmentNotFound`."""
    balance = sa.select(LedgerAccount.balance).where(
        LedgerAccount.customer_id == Customer.id,
        LedgerAccount.kind == AccountKind.AVAILABLE,
        LedgerAccount.currency == IDR,
    )
    available = sa.func.coalesce(balance.scalar_subquery(), 0).label("available")
    owner = sa.select(Membership.user_id).where(Membership.customer_id == Customer.id, Membership.role == "OWNER")
    first = owner.order_by(Membership.user_id).limit(1).scalar_subquery().label("owner_id")
    row = session.execute(_rows().add_columns(available, first).where(AdjustmentRequest.id == request_id)).first()
    if row is None:
        raise AdjustmentNotFound
    return row


def customer(session: Session, customer_id: UUID | None) -> Customer:
    """Whose wallet is to be adjusted; raises `AdjustmentNotFound`."""
    found = session.get(Customer, customer_id) if customer_id else None
    if found is None:
        raise AdjustmentNotFound
    return found


def _rows() -> sa.Select[Any]:
    columns: list[Any] = [AdjustmentRequest, Customer.name, Customer.number]
    return (
        sa.select(*columns, _asker.name.label("asker"), _decider.name.label("decider"))
        .join(Customer, Customer.id == AdjustmentRequest.customer_id)
        .join(_asker, _asker.id == AdjustmentRequest.asked_by)
        .outerjoin(_decider, _decider.id == AdjustmentRequest.decided_by)
    )
