"""View as: an administrator sees a customer's pages with that customer's eyes, for a while, and changes nothing.

It stands on the row of the administrator's own session, so that it ends with it. `portal.web.guards` refuses writes and
what is private meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session, joinedload

from portal.accounts import queries
from portal.accounts.errors import NotViewed, UserNotFound
from portal.accounts.models import Customer, User, UserSession
from portal.audit import actions as audit
from portal.audit.actions import Actor

LASTS = timedelta(minutes=30)
LOADED = (joinedload(UserSession.views_user), joinedload(UserSession.views_customer))
"""What `of` needs of a session."""


@dataclass(frozen=True)
class Viewing:
    """Who is looked at, for whom the pages are drawn, and until when."""

    user: User
    customer: Customer
    until: datetime


def of(session: UserSession, *, now: datetime) -> Viewing | None:
    """What a session looks at now: nothing once the time is up, or one of the two is no longer who they were."""
    user, customer, until = session.views_user, session.views_customer, session.views_until
    if user is None or customer is None or until is None or until <= now:
        return None
    if not session.user.is_administrator or user.is_administrator:
        return None
    return Viewing(user, customer, until)


def start(session: Session, session_id: UUID, user_id: UUID, *, actor: Actor, now: datetime) -> UserSession:
    """Lets a session see what this user sees, for `LASTS`; another view of the same session ends first.

    Raises `UserNotFound`, and `NotViewed` for administrators and for users without a customer.
    """
    row = _held(session, session_id)
    user, customer = session.get(User, user_id, populate_existing=True), queries.customer_of(session, user_id)
    if user is None:
        raise UserNotFound
    if user.is_administrator or customer is None:
        raise NotViewed
    _end(session, row, actor=actor, now=now)
    row.views_user_id, row.views_customer_id, row.views_until = user.id, customer.id, now + LASTS
    audit.changed(
        session, actor, "user.view_started", subject_kind="user", subject_id=user.id, now=now,
        until=row.views_until.isoformat(), customer=str(customer.id),
    )  # fmt: skip
    return row


def stop(session: Session, session_id: UUID, *, actor: Actor, now: datetime) -> UUID | None:
    """Ends what a session looks at; returns whom. A repeat finds nothing."""
    return _end(session, _held(session, session_id), actor=actor, now=now)


def _end(session: Session, row: UserSession, *, actor: Actor, now: datetime) -> UUID | None:
    """A view whose time ran out ended then, whenever somebody notices."""
    user_id, until = row.views_user_id, row.views_until
    if user_id is None or until is None:
        return None
    row.views_user_id = row.views_customer_id = row.views_until = None
    audit.changed(
        session, actor, "user.view_ended", subject_kind="user", subject_id=user_id, now=min(now, until),
        by="time" if until <= now else "administrator",
    )  # fmt: skip
    return user_id


def _held(session: Session, session_id: UUID) -> UserSession:
    return session.get_one(UserSession, session_id, with_for_update=True, populate_existing=True)
