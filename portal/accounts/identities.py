"""Who is the same person: one spelling for every address and number that reach the same hands.

What is given once per person (a trial, a promo code) is noted under these, so that a second account gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.models import Membership, MembershipRole, User
from portal.accounts.rules import normal_phone
from portal.core.crypto import digest

DOTS_DO_NOT_COUNT = {"gmail.com", "googlemail.com"}
"""Source: https://support.google.com/mail/answer/7436150; both are one domain."""


def normal_address(email: str) -> str:
    """An e-mail address without what its owner may add at will: capitals, a +tag, and Gmail's dots."""
    local, _, domain = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def identities(email: str, phone: str | None) -> set[str]:
    """What stands for a person: their address, and their number if they gave one."""
    number = normal_phone(phone) if phone else None
    return {f"email:{normal_address(email)}"} | ({f"phone:{number}"} if number else set())


def owners(session: Session, customer_id: UUID) -> Sequence[User]:
    """Who speaks for a customer, as they are now."""
    statement = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.customer_id == customer_id, Membership.role == MembershipRole.OWNER)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def digests(people: Sequence[User]) -> list[str]:
    """What to note of them, sorted: two who share an address and a number wait for each other, not for ever."""
    return sorted({digest(identity) for person in people for identity in identities(person.email, person.phone)})


def all_verified(people: Sequence[User]) -> bool:
    """Somebody speaks for the customer, and everybody who does has confirmed their address."""
    return bool(people) and all(person.email_verified_at is not None for person in people)
