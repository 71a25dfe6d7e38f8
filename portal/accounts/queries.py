"""Reads of accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts import devices
from portal.accounts.models import (
    Customer,
    LinkPurpose,
    MailedLink,
    Membership,
    RecoveryCode,
    User,
    UserSession,
)
from portal.audit.models import AuditEntry
from portal.core.crypto import digest


def user_by_email(session: Session, email: str) -> User | None:
    """The user of an address as `rules.normal_email` spells it."""
    return session.scalar(select(User).where(User.email == email))


def customer_of(session: Session, user_id: UUID) -> Customer | None:
    """The customer a user acts for when nothing else was chosen: their oldest."""
    statement = (
        select(Customer)
        .join(Membership, Membership.customer_id == Customer.id)
        .where(Membership.user_id == user_id)
        .order_by(Customer.id)
        .limit(1)
    )
    return session.scalar(statement)


def live_sessions(session: Session, user_id: UUID, *, now: datetime) -> Sequence[UserSession]:
    """Where a user is signed in, the most recent first."""
    statement = (
        select(UserSession)
        .where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.expires_at > now)
        .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
    )
    return session.scalars(statement).all()


def recovery_codes_left(session: Session, user_id: UUID) -> int:
    """How many recovery codes still work."""
    unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(unused) or 0


def unconfirmed_secret(session: Session, user_id: UUID) -> str | None:
    """The secret of a second factor that waits for its first code; None once it counts, or before it was begun."""
    return session.scalar(select(User.second_factor_secret).where(User.id == user_id, User.second_factor_at.is_(None)))


def all_users(session: Session) -> Sequence[User]:
    """Every user, oldest first."""
    return session.scalars(select(User).order_by(User.id)).all()


def link_owner(session: Session, token: str, purpose: LinkPurpose) -> User | None:
    """Whose link this is or was."""
    statement = (
        select(User)
        .join(MailedLink, MailedLink.user_id == User.id)
        .where(MailedLink.token_digest == digest(token), MailedLink.purpose == purpose)
    )
    return session.scalar(statement)


def link_is_live(session: Session, token: str, purpose: LinkPurpose, *, now: datetime) -> bool:
    """Whether a mailed link still opens something. Looking does not spend it."""
    statement = select(MailedLink.id).where(
        MailedLink.token_digest == digest(token),
        MailedLink.purpose == purpose,
        MailedLink.used_at.is_(None),
        MailedLink.expires_at > now,
    )
    return session.scalar(statement) is not None


def owns_session(session: Session, user_id: UUID, session_id: UUID) -> bool:
    """Whether a session, live or ended, is this user's."""
    statement = select(UserSession.id).where(UserSession.id == session_id, UserSession.user_id == user_id)
    return session.scalar(statement) is not None


def knows_device(session: Session, user_id: UUID, user_agent: str) -> bool:
    """Whether this kind of browser signed this user in before; the first ever counts as known."""
    agents = session.scalars(select(UserSession.user_agent).where(UserSession.user_id == user_id).distinct())
    seen = {(devices.browser(agent), devices.system(agent)) for agent in agents}
    return not seen or (devices.browser(user_agent), devices.system(user_agent)) in seen


def payout_requests(session: Session) -> Sequence[tuple[AuditEntry, User]]:
    """Who asked for a payout and has not left since, oldest request first."""
    statement = (
        select(AuditEntry, User)
        .join(User, User.id == AuditEntry.actor_id)
        .where(AuditEntry.action == "user.payout_requested", User.active)
        .order_by(AuditEntry.happened_at)
    )
    return [(entry, user) for entry, user in session.execute(statement)]


def is_member(session: Session, user_id: UUID, customer_id: UUID) -> bool:
    """Whether a user belongs to a customer, in whatever part."""
    return session.get(Membership, (user_id, customer_id), populate_existing=True) is not None
