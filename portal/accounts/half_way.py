"""Half a sign-in: the password was right, the code of the second factor is still to come.

It is no session: the loader of sessions never looks here. What it opens is one page, for ten minutes and five tries.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal.accounts import second_factor
from portal.accounts.errors import SignInSpent
from portal.accounts.models import PendingSignIn, User
from portal.accounts.second_factor import Proof
from portal.audit import actions as audit
from portal.core.crypto import digest

LIFETIME = timedelta(minutes=10)
TRIES_MAX = 5


@dataclass(frozen=True)
class Finished:
    """Who signed in, for how long they want to stay, and what they showed."""

    user: User
    remember: bool
    proof: Proof


def start(session: Session, user: User, *, remember: bool, now: datetime) -> str:
    """Keeps that `user` showed a right password; returns the token for the cookie."""
    token = secrets.token_urlsafe(32)
    session.add(
        PendingSignIn(
            user_id=user.id,
            token_digest=digest(token),
            remember=remember,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


def owner(session: Session, token: str, *, now: datetime) -> UUID | None:
    """Whose half sign-in this is, while it still leads anywhere."""
    return session.scalar(select(PendingSignIn.user_id).where(*_live(token, now)))


def spend_try(session: Session, token: str, *, now: datetime) -> int:
    """Takes one of the tries, before the code is looked at, so that many at once get no more; returns which it is.

    Raises `SignInSpent` when none is left. The caller commits it whatever comes of the try.
    """
    statement = (
        update(PendingSignIn)
        .where(*_live(token, now), PendingSignIn.tries < TRIES_MAX)
        .values(tries=PendingSignIn.tries + 1)
        .returning(PendingSignIn.tries)
        .execution_options(synchronize_session=False)
    )
    taken = session.scalar(statement)
    if taken is None:
        raise SignInSpent
    return taken


def finish(session: Session, token: str, typed: str, *, now: datetime, ip_address: str = "") -> Finished:
    """Takes the code and ends the half sign-in; the caller opens the session. Raises `WrongCode`, `SignInSpent`.

    The user is locked first, then the row is looked at: whoever changes the password, closes the account or ends all
    sessions meanwhile has ended this too.
    """
    user_id = owner(session, token, now=now)
    if user_id is None:
        raise SignInSpent
    user = second_factor.locked(session, user_id)
    ended = update(PendingSignIn).where(*_live(token, now)).values(ended_at=now)
    remember = session.scalar(ended.returning(PendingSignIn.remember).execution_options(synchronize_session=False))
    if remember is None or not user.active or not user.has_second_factor:
        raise SignInSpent
    proof = second_factor.use(session, user, typed, now=now, ip_address=ip_address)
    _note(session, "user.signed_in", user.id, now=now, ip_address=ip_address, proof=proof)
    return Finished(user, remember, proof)


def note_wrong_code(session: Session, user_id: UUID, *, now: datetime, ip_address: str) -> None:
    """Keeps a trace of a code that was refused."""
    _note(session, "user.code_refused", user_id, now=now, ip_address=ip_address)


def _live(token: str, now: datetime) -> list[ColumnElement[bool]]:
    return [
        PendingSignIn.token_digest == digest(token),
        PendingSignIn.ended_at.is_(None),
        PendingSignIn.expires_at > now,
    ]


def _note(session: Session, action: str, user_id: UUID, *, now: datetime, ip_address: str, **facts: str) -> None:
    audit.note(
        session, action, subject_kind="user", subject_id=user_id, actor_id=user_id, now=now, ip_address=ip_address,
        **facts,
    )  # fmt: skip
