"""There is always an administrator: whoever may take one away holds all of them meanwhile."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.accounts.errors import LastAdministrator, UserNotFound
from portal.accounts.models import Role, User
from portal.core.db import ROW_LOCK


def held(session: Session, user_id: UUID) -> User:
    """A user, read anew and locked together with every administrator, in one order.

    So of two administrators who demote or close each other the second waits, and then finds out. Raises
    `UserNotFound`.
    """
    user = next((one for one in _lock(session, user_id) if one.id == user_id), None)
    if user is None:
        raise UserNotFound
    return user


def refuse_if_last(session: Session, user: User) -> None:
    """Raises `LastAdministrator` when no other open administrator would be left."""
    if not user.is_administrator or not user.active:
        return
    others = [one for one in _lock(session, user.id) if one.id != user.id and one.is_administrator and one.active]
    if not others:
        raise LastAdministrator


def _lock(session: Session, user_id: UUID) -> list[User]:
    statement = (
        select(User)
        .where(or_(User.role == Role.ADMINISTRATOR, User.id == user_id))
        .order_by(User.id)
        .with_for_update(**ROW_LOCK)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))
