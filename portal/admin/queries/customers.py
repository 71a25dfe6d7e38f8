"""Whose a row is: found by number or by the beginning of an e-mail address, and shown with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer, Membership, MembershipRole

FOUND_MAX = 200
NUMBER_MAX = 10**15


def ids_of(session: Session, text: str) -> list[UUID]:
    """Customers of that number, or whose billing address begins so; both have an index."""
    if text.isdecimal() and int(text) <= NUMBER_MAX:
        condition = Customer.number == int(text)
    else:
        condition = Customer.billing_email.like(f"{escaped(text.lower())}%")
    return list(session.scalars(sa.select(Customer.id).where(condition).limit(FOUND_MAX)))


def escaped(text: str) -> str:
    """`text` as it stands, for a pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def columns() -> list[Any]:
    """Number and address of an outer-joined customer, and the user who owns it, for a list's rows."""
    return [Customer.number.label("customer_number"), Customer.billing_email.label("email"), _owner()]


def _owner() -> Any:
    """A join would repeat the row of a customer with two owners."""
    owner = sa.select(Membership.user_id).where(
        Membership.customer_id == Customer.id, Membership.role == MembershipRole.OWNER
    )
    return owner.correlate(Customer).order_by(Membership.user_id).limit(1).scalar_subquery().label("owner_id")


def whose(session: Session, customer_id: UUID) -> Any:
    """The same of one customer, for a page: `customer_number`, `email`, `owner_id`, `customer_id`."""
    statement = sa.select(*columns(), Customer.id.label("customer_id")).where(Customer.id == customer_id)
    return session.execute(statement).one()
