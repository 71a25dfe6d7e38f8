"""What administrators do to other people's accounts; each verb says in the audit log who did it, and from where."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.accounts import actions, administrators, sessions
from portal.accounts.errors import AccountClosed, EmailTaken, NotYourself, UnfitAdministrator, UserNotFound
from portal.accounts.models import Customer, CustomerKind, LinkPurpose, MailedLink, Membership, Role, User, UserSession
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK
from portal.web.languages import LANGUAGES

INVITATION_LIFETIME = timedelta(days=7)


def invite(
    session: Session, *, name: str, email: str, phone: str | None, language: str, actor: Actor, now: datetime
) -> User:
    """Opens an account for somebody, whose password nobody knows until they set one by the link they are mailed.

    Raises `DetailsRefused`, and `EmailTaken` also to the slower of two at once.
    """
    user = actions.open_account(
        session, name=name, email=email, password=secrets.token_urlsafe(32), phone=phone, language=language, now=now
    )
    audit.changed(
        session, actor, "user.invited", subject_kind="user", subject_id=user.id, now=now,
        after={"name": user.name, "email": user.email, "language": user.language},
    )  # fmt: skip
    return user


def note_link_sent(session: Session, user_id: UUID, *, actor: Actor, now: datetime) -> User:
    """The user to whom a link to set a password is mailed at an administrator's word; raises `AccountClosed`."""
    user = _held(session, user_id)
    if not user.active:
        raise AccountClosed
    audit.changed(session, actor, "user.password_link_sent", subject_kind="user", subject_id=user.id, now=now)
    return user


def was_here(session: Session, user_id: UUID) -> bool:
    """Whether somebody ever signed in: until then a mailed link is still the invitation."""
    return session.scalar(select(UserSession.id).where(UserSession.user_id == user_id).limit(1)) is not None


def change_details(
    session: Session, user_id: UUID, *, name: str, phone: str | None, language: str, actor: Actor, now: datetime
) -> User:
    """Changes name, phone and language; documents made from now on carry the new name. Raises `DetailsRefused`.

    The log says that the phone changed and not to what: it is kept encrypted.
    """
    user = _held(session, user_id)
    before, phone_before = {"name": user.name, "language": user.language}, user.phone
    user.name, user.phone = actions.checked_name(name), actions.checked_phone(phone)
    user.language = language if language in LANGUAGES else user.language
    after, phone_changed = {"name": user.name, "language": user.language}, user.phone != phone_before
    if before == after and not phone_changed:
        return user
    _rename_customers(session, user)
    audit.changed(
        session, actor, "user.details_changed", subject_kind="user", subject_id=user.id, now=now,
        before=before, after=after, phone_changed=phone_changed,
    )  # fmt: skip
    return user


def _rename_customers(session: Session, user: User) -> None:
    persons = update(Customer).where(Customer.kind == CustomerKind.PERSON, Customer.id.in_(_customers_of(user.id)))
    session.execute(persons.values(name=user.name))


def change_email(session: Session, user_id: UUID, email: str, *, actor: Actor, now: datetime) -> str | None:
    """Gives an account another address, unconfirmed; links mailed to the old one are spent. The old address, which is
    to be told; None when it is the same. Raises `DetailsRefused` and `EmailTaken`."""
    user, address = _held(session, user_id), actions.checked_email(email)
    old = user.email
    if address == old:
        return None
    _readdress(session, user, address)
    _spend_links(session, user.id, now=now)
    invoiced = update(Customer).where(Customer.billing_email == old, Customer.id.in_(_customers_of(user.id)))
    session.execute(invoiced.values(billing_email=address))
    audit.changed(
        session, actor, "user.email_changed", subject_kind="user", subject_id=user.id, now=now,
        before={"email": old}, after={"email": address},
    )  # fmt: skip
    return old


def _readdress(session: Session, user: User, address: str) -> None:
    try:
        with session.begin_nested():
            user.email, user.email_verified_at = address, None
            session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", "") != "uq_user_account_email":
            raise
        raise EmailTaken from None


def _spend_links(session: Session, user_id: UUID, *, now: datetime) -> None:
    for purpose in LinkPurpose:
        live = update(MailedLink).where(
            MailedLink.user_id == user_id, MailedLink.purpose == purpose, MailedLink.used_at.is_(None)
        )
        session.execute(live.values(used_at=now).execution_options(synchronize_session=False))


def confirm_email(session: Session, user_id: UUID, *, actor: Actor, now: datetime) -> None:
    """Takes an address as its owner's at an administrator's word; a repeat changes nothing."""
    user = _held(session, user_id)
    if user.email_verified_at is not None:
        return
    user.email_verified_at = now
    audit.changed(
        session, actor, "user.email_confirmed", subject_kind="user", subject_id=user.id, now=now,
        before={"confirmed": False}, after={"confirmed": True}, email=user.email,
    )  # fmt: skip


def set_active(session: Session, user_id: UUID, *, active: bool, actor: Actor, now: datetime) -> None:
    """An administrator closes an account, which ends its sessions at once, or opens it again; a repeat changes nothing.

    Raises `NotYourself` for the administrator's own account, `LastAdministrator`. Apps and money stay as they are.
    """
    user = administrators.held(session, user_id)
    if user.id == actor.user_id:
        raise NotYourself
    if user.active == active:
        return
    if not active:
        administrators.refuse_if_last(session, user)
    user.active = active
    session.flush()
    if not active:
        sessions.revoke(session, user_id=user.id, now=now)
    audit.changed(
        session, actor, "user.opened" if active else "user.closed", subject_kind="user", subject_id=user.id, now=now,
        before={"active": not active}, after={"active": active},
    )  # fmt: skip


def set_role(session: Session, user_id: UUID, role: Role, *, actor: Actor, now: datetime) -> None:
    """Gives a role and ends the user's sessions: the new one begins with signing in. A repeat changes nothing.

    Raises `NotYourself`, `LastAdministrator`, and `UnfitAdministrator` for a closed account or an address that nobody
    confirmed.
    """
    user = administrators.held(session, user_id)
    if user.id == actor.user_id:
        raise NotYourself
    if user.role == role:
        return
    if role == Role.ADMINISTRATOR and not (user.active and user.email_verified_at):
        raise UnfitAdministrator
    if role != Role.ADMINISTRATOR:
        administrators.refuse_if_last(session, user)
    before, user.role = user.role, role
    session.flush()
    sessions.revoke(session, user_id=user.id, now=now)
    audit.changed(
        session, actor, "user.role_changed", subject_kind="user", subject_id=user.id, now=now,
        before={"role": before}, after={"role": role},
    )  # fmt: skip


def end_sessions(
    session: Session, user_id: UUID, *, session_id: UUID | None = None, actor: Actor, now: datetime
) -> int:
    """Signs a user out of one browser or of all; returns of how many. A repeat finds none."""
    user = _held(session, user_id)
    ended = sessions.revoke(session, user_id=user.id, session_id=session_id, now=now)
    if ended:
        audit.changed(
            session, actor, "user.sessions_ended", subject_kind="user", subject_id=user.id, now=now, ended=ended,
            session_id=str(session_id or "all"),
        )  # fmt: skip
    return ended


def _held(session: Session, user_id: UUID) -> User:
    user = session.get(User, user_id, with_for_update=ROW_LOCK, populate_existing=True)
    if user is None:
        raise UserNotFound
    return user


def _customers_of(user_id: UUID) -> Any:
    return select(Membership.customer_id).where(Membership.user_id == user_id)
