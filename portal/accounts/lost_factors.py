"""A second factor taken off somebody who lost it. None of it sends mail; edges do."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from portal.accounts import second_factor, sessions
from portal.accounts.errors import NotYourself, SecondFactorOff, UserNotFound
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.errors import PortalError


def clear_second_factor(session: Session, user_id: UUID, *, actor: Actor, reason: str, now: datetime) -> User:
    """Takes the second factor off somebody who lost it, and ends all their sessions: the phone may be in other hands.

    Raises `SecondFactorOff` when there is none, so also to a repeat, and `NotYourself`: one's own takes a code. The
    caller tells them by `letters.tell_second_factor_cleared`.
    """
    if user_id == actor.user_id:
        raise NotYourself
    if session.get(User, user_id) is None:
        raise UserNotFound
    if not reason:
        raise PortalError(_l("Say why: it stands in the audit log."))
    user = _without_second_factor(session, user_id, now=now)
    audit.changed(
        session, actor, "user.second_factor_cleared", subject_kind="user", subject_id=user.id, now=now,
        before={"second_factor": True}, after={"second_factor": False}, reason=reason,
    )  # fmt: skip
    return user


def reset_second_factor(session: Session, user_id: UUID, *, reason: str, now: datetime) -> User:
    """`clear_second_factor` by the operator at the shell, who has no account: written down without one."""
    user = _without_second_factor(session, user_id, now=now)
    audit.note(
        session, "user.second_factor_cleared", subject_kind="user", subject_id=user.id, now=now,
        before={"second_factor": True}, after={"second_factor": False}, reason=reason, by="operator",
    )  # fmt: skip
    return user


def _without_second_factor(session: Session, user_id: UUID, *, now: datetime) -> User:
    user = second_factor.locked(session, user_id)
    if not user.has_second_factor:
        raise SecondFactorOff(_l("This account has no second factor."))
    second_factor.forget(session, user)
    sessions.revoke(session, user_id=user.id, now=now)
    return user
