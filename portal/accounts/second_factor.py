"""The second factor: switched on by its own owner, asked for at every sign-in, and never used twice.

Every verb locks the user's row first: of two requests with the same code the second finds its step used.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session, undefer

from portal.accounts import one_time_codes, passwords, sessions
from portal.accounts.errors import SecondFactorOff, SecondFactorOn, WrongCode, WrongPassword
from portal.accounts.models import RecoveryCode, User
from portal.audit import actions as audit
from portal.core.db import ROW_LOCK


class Proof(StrEnum):
    """What somebody showed."""

    CODE = "CODE"
    RECOVERY_CODE = "RECOVERY_CODE"


def begin(session: Session, user_id: UUID, *, password: str) -> str:
    """Makes a new secret and returns it; it counts for nothing before `confirm`, and a repeat replaces it.

    Raises `SecondFactorOn` and `WrongPassword`.
    """
    user = locked(session, user_id)
    if user.has_second_factor:
        raise SecondFactorOn
    if not passwords.matches(user.password_hash, password):
        raise WrongPassword
    user.second_factor_secret = one_time_codes.new_secret()
    return user.second_factor_secret


def confirm(
    session: Session, user_id: UUID, typed: str, *, keep_session: UUID, now: datetime, ip_address: str = ""
) -> list[str]:
    """Switches it on by a first right code and ends all sessions but one; returns the recovery codes, this once.

    Raises `SecondFactorOn`, `SecondFactorOff` when there is no secret to confirm, and `WrongCode`.
    """
    user = locked(session, user_id)
    if user.has_second_factor:
        raise SecondFactorOn
    if user.second_factor_secret is None:
        raise SecondFactorOff
    step = one_time_codes.matching_step(user.second_factor_secret, typed, after=None, now=now)
    if step is None:
        raise WrongCode
    user.second_factor_at, user.second_factor_step = now, step
    session.flush()
    sessions.revoke(session, user_id=user.id, keep=keep_session, now=now)
    _note(session, "user.second_factor_on", user.id, now=now, ip_address=ip_address)
    return _replace_recovery_codes(session, user.id, now=now)


def use(session: Session, user: User, typed: str, *, now: datetime, ip_address: str = "") -> Proof:
    """Takes a code or a recovery code of a user whom the caller holds by `locked`, once; else raises `WrongCode`."""
    if not user.has_second_factor:
        raise SecondFactorOff
    if one_time_codes.is_recovery_code(typed):
        _use_recovery_code(session, user.id, typed, now=now)
        _note(session, "user.recovery_code_used", user.id, now=now, ip_address=ip_address)
        return Proof.RECOVERY_CODE
    assert user.second_factor_secret is not None, "a constraint says so"
    step = one_time_codes.matching_step(user.second_factor_secret, typed, after=user.second_factor_step, now=now)
    if step is None:
        raise WrongCode
    user.second_factor_step = step
    return Proof.CODE


def renew_recovery_codes(
    session: Session, user_id: UUID, typed: str, *, now: datetime, ip_address: str = ""
) -> list[str]:
    """Replaces all recovery codes, used or not, by ten new ones; raises `WrongCode` and `SecondFactorOff`."""
    user = locked(session, user_id)
    use(session, user, typed, now=now, ip_address=ip_address)
    _note(session, "user.recovery_codes_renewed", user.id, now=now, ip_address=ip_address)
    return _replace_recovery_codes(session, user.id, now=now)


def switch_off(
    session: Session, user_id: UUID, *, password: str, typed: str, now: datetime, ip_address: str = ""
) -> User:
    """Switches it off, which takes the password and a code; raises `WrongPassword`, `WrongCode`, `SecondFactorOff`.

    The password is asked first: a wrong one costs no code.
    """
    user = locked(session, user_id)
    if not passwords.matches(user.password_hash, password):
        raise WrongPassword
    use(session, user, typed, now=now, ip_address=ip_address)
    forget(session, user)
    _note(session, "user.second_factor_off", user.id, now=now, ip_address=ip_address)
    return user


def forget(session: Session, user: User) -> None:
    """Removes secret, step and recovery codes of a user whom the caller holds; sessions stay."""
    user.second_factor_secret = user.second_factor_at = user.second_factor_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.flush()


def locked(session: Session, user_id: UUID) -> User:
    """The user, held until the transaction ends, the secret at hand."""
    secret = [undefer(User.second_factor_secret)]
    return session.get_one(User, user_id, options=secret, with_for_update=ROW_LOCK, populate_existing=True)


def _use_recovery_code(session: Session, user_id: UUID, typed: str, *, now: datetime) -> None:
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_digest == one_time_codes.recovery_digest(user_id, typed),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise WrongCode


def _replace_recovery_codes(session: Session, user_id: UUID, *, now: datetime) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = one_time_codes.new_recovery_codes()
    session.add_all(
        RecoveryCode(user_id=user_id, code_digest=one_time_codes.recovery_digest(user_id, code), created_at=now)
        for code in codes
    )
    return codes


def _note(session: Session, action: str, user_id: UUID, *, now: datetime, ip_address: str) -> None:
    audit.note(
        session, action, subject_kind="user", subject_id=user_id, actor_id=user_id, now=now, ip_address=ip_address
    )
