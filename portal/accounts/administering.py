"""What an administrator, or the operator at the shell, does to somebody's way in. None of it sends mail; edges do."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts import second_factor, sessions
from portal.accounts.errors import NotYourself, SecondFactorOff
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK


def clear_second_factor(session: Session, user_id: UUID, *, actor: Actor, reason: str, now: datetime) -> User:
    """Takes the second factor off somebody who lost it, and ends all their sessions: the phone may be in other hands.

    Raises `SecondFactorOff` when there is none, so also to a repeat, and `NotYourself`: one's own takes a code. The
    caller tells them by `letters.tell_second_factor_cleared`.
    """
    if user_id == actor.user_id:
        raise NotYourself
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


def end_sessions_of(
    session: Session, user_id: UUID, *, actor: Actor, session_id: UUID | None = None, reason: str = "", now: datetime
) -> int:
    """Signs somebody out of one browser, or of all; returns of how many. A repeat finds none and writes nothing.

    A session of somebody else is not theirs, and stays. One's own are ended like any other's.
    """
    # Whoever is just signing in holds this row: their session is seen, or they find their sign-in ended.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(**ROW_LOCK))
    ended = sessions.revoke(session, user_id=user_id, session_id=session_id, now=now)
    if ended:
        audit.changed(
            session, actor, "user.sessions_ended", subject_kind="user", subject_id=user_id, now=now,
            ended=ended, reason=reason, session_id=str(session_id or "all"),
        )  # fmt: skip
    return ended


def _without_second_factor(session: Session, user_id: UUID, *, now: datetime) -> User:
    user = second_factor.locked(session, user_id)
    if not user.has_second_factor:
        raise SecondFactorOff(_l("This account has no second factor."))
    second_factor.forget(session, user)
    sessions.revoke(session, user_id=user.id, now=now)
    return user
