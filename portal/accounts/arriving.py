"""People who come from the system before: an account without a password, which its owner sets by a mailed link."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.accounts import queries
from portal.accounts.errors import EmailTaken
from portal.accounts.models import Customer, CustomerKind, Membership, MembershipRole, User
from portal.audit import actions as audit

NO_PASSWORD = "!"  # noqa: S105 - no password has this hash
"""What stands for a hash until the owner sets a password."""


def take_in(
    session: Session, *, name: str, email: str, phone: str | None, language: str, verified: bool, now: datetime
) -> User:
    """Opens an account, and the personal customer it owns, that nobody can sign in to yet; mails nobody.

    Name, address and phone are as `rules` spells them. Raises `EmailTaken`.
    """
    if queries.user_by_email(session, email) is not None:
        raise EmailTaken
    user = User(
        name=name,
        email=email,
        phone=phone,
        password_hash=NO_PASSWORD,
        language=language,
        email_verified_at=now if verified else None,
        created_at=now,
    )
    customer = Customer(kind=CustomerKind.PERSON, name=name, billing_email=email, created_at=now)
    session.add_all([user, customer])
    session.flush()
    session.add(Membership(user_id=user.id, customer_id=customer.id, role=MembershipRole.OWNER))
    audit.note(session, "user.imported", subject_kind="user", subject_id=user.id, now=now)
    session.flush()
    return user
