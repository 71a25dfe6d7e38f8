"""What happens to accounts. Every verb writes its line in the audit log; none sends mail, the edges do."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.accounts import administrators, passwords, queries, rules, sessions, viewing
from portal.accounts.errors import (
    NAME_MESSAGES,
    DepartureRefused,
    DetailsRefused,
    EmailTaken,
    LinkSpent,
    PasswordRefused,
    SignInRefused,
    WrongPassword,
)
from portal.accounts.models import (
    Customer,
    CustomerKind,
    LinkPurpose,
    MailedLink,
    Membership,
    MembershipRole,
    Role,
    User,
    UserSession,
)
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.crypto import digest
from portal.core.db import ROW_LOCK
from portal.web.languages import DEFAULT, LANGUAGES

LINK_LIFETIMES = {
    LinkPurpose.VERIFY_EMAIL: timedelta(hours=48),
    LinkPurpose.RESET_PASSWORD: timedelta(hours=1),
}


def register(
    session: Session,
    *,
    name: str,
    email: str,
    password: str,
    phone: str | None,
    language: str,
    now: datetime,
    ip_address: str = "",
) -> User:
    """Somebody opens an account for themselves; raises as `open_account` does."""
    user = open_account(session, name=name, email=email, password=password, phone=phone, language=language, now=now)
    _note(session, "user.registered", user.id, now=now, ip_address=ip_address)
    return user


def open_account(
    session: Session, *, name: str, email: str, password: str, phone: str | None, language: str, now: datetime
) -> User:
    """Creates a user and the personal customer they own.

    Raises `DetailsRefused`, `PasswordRefused`, and `EmailTaken` when the address has an account, also to the
    slower of two registrations at once.
    """
    name, address = checked_name(name), checked_email(email)
    _check_password(password, email=address, name=name)
    user = User(
        name=name,
        email=address,
        phone=checked_phone(phone),
        password_hash=passwords.hashed(password),
        language=language if language in LANGUAGES else DEFAULT,
        created_at=now,
    )
    _add_once(session, user)
    _add_customer(session, user, now=now)
    return user


def _add_once(session: Session, user: User) -> None:
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", "") != "uq_user_account_email":
            raise
        raise EmailTaken from None


def _add_customer(session: Session, user: User, *, now: datetime) -> None:
    customer = Customer(kind=CustomerKind.PERSON, name=user.name, billing_email=user.email, created_at=now)
    session.add(customer)
    session.flush()
    session.add(Membership(user_id=user.id, customer_id=customer.id, role=MembershipRole.OWNER))
    session.flush()


def make_administrator(session: Session, user: User, *, now: datetime) -> None:
    """Gives a user the administrator's role and takes their address as verified; a repeat changes nothing."""
    user.role = Role.ADMINISTRATOR
    user.email_verified_at = user.email_verified_at or now
    _note(session, "user.made_administrator", user.id, now=now)


def authenticate(session: Session, *, email: str, password: str, now: datetime, ip_address: str = "") -> User:
    """The user whose address and password these are; raises `SignInRefused`, equally slowly, for all else.

    The row is locked before the answer, so that a password changed or an account closed meanwhile is noticed: the
    session, or the half of a sign-in, about to be opened sees the change or is seen by the one who revokes sessions.
    """
    address = rules.normal_email(email)
    known = queries.user_by_email(session, address) if address else None
    if not passwords.matches(known.password_hash if known else None, password) or known is None:
        raise SignInRefused
    verified = known.password_hash
    user = _locked(session, known.id)
    if user.password_hash != verified or not user.active:
        raise SignInRefused
    if passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hashed(password)
    accepted = "user.password_accepted" if user.has_second_factor else "user.signed_in"
    _note(session, accepted, user.id, now=now, ip_address=ip_address)
    return user


def note_refused_sign_in(session: Session, *, email: str, now: datetime, ip_address: str) -> None:
    """Keeps a trace of a failed attempt; an address without an account only as a digest."""
    _note_about(session, "user.sign_in_refused", email=email, now=now, ip_address=ip_address)


def note_reset_asked(session: Session, *, email: str, now: datetime, ip_address: str) -> None:
    """Keeps a trace of a forgotten password, for known and unknown addresses alike."""
    _note_about(session, "user.reset_asked", email=email, now=now, ip_address=ip_address)


def _note_about(session: Session, action: str, *, email: str, now: datetime, ip_address: str) -> None:
    address = rules.normal_email(email)
    user = queries.user_by_email(session, address) if address else None
    kind, subject = ("user", str(user.id)) if user else ("unknown_email", digest((address or email).lower()))
    audit.note(session, action, subject_kind=kind, subject_id=subject, now=now, ip_address=ip_address)


def sign_out(session: Session, user_session: UserSession, *, now: datetime, ip_address: str = "") -> None:
    """Ends a session, and with it what it views; a repeat changes nothing."""
    user_id = user_session.user_id
    viewing.stop(session, user_session.id, actor=Actor(user_id, ip_address), now=now)
    if sessions.revoke(session, user_id=user_id, session_id=user_session.id, now=now):
        _note(session, "user.signed_out", user_id, now=now, ip_address=ip_address)


def issue_link(
    session: Session, user: User, purpose: LinkPurpose, *, now: datetime, lifetime: timedelta | None = None
) -> tuple[UUID, str]:
    """A new single-use link of `user`: its id and its token, which is stored only as a digest."""
    token = secrets.token_urlsafe(32)
    link = MailedLink(
        user_id=user.id,
        purpose=purpose,
        token_digest=digest(token),
        created_at=now,
        expires_at=now + (lifetime or LINK_LIFETIMES[purpose]),
    )
    session.add(link)
    session.flush()
    return link.id, token


def verify_email(session: Session, token: str, *, now: datetime) -> User:
    """Takes the address as its owner's. A second click finds it done; other dead links raise `LinkSpent`."""
    owner = queries.link_owner(session, token, LinkPurpose.VERIFY_EMAIL)
    if owner is not None and owner.email_verified_at is not None:
        return owner
    user = _use_link(session, token, LinkPurpose.VERIFY_EMAIL, now=now)
    user.email_verified_at = user.email_verified_at or now
    _note(session, "user.email_verified", user.id, now=now)
    return user


def reset_password(session: Session, token: str, *, password: str, now: datetime, ip_address: str = "") -> User:
    """Sets a new password by a mailed link, once, and ends every session; the mail also proved the address.

    Raises `LinkSpent`, also to the slower of two requests at once. `PasswordRefused` leaves the link good.
    """
    user = _use_link(session, token, LinkPurpose.RESET_PASSWORD, now=now)
    if not user.active:
        raise LinkSpent
    _set_password(session, user, password)
    user.email_verified_at = user.email_verified_at or now
    session.flush()
    _spend_links(session, user.id, LinkPurpose.RESET_PASSWORD, now=now)
    sessions.revoke(session, user_id=user.id, now=now)
    _note(session, "user.password_reset", user.id, now=now, ip_address=ip_address)
    return user


def change_password(
    session: Session,
    user_id: UUID,
    *,
    current: str,
    password: str,
    keep_session: UUID,
    now: datetime,
    ip_address: str = "",
) -> User:
    """Sets a new password and ends all sessions but one; raises `WrongPassword` and `PasswordRefused`."""
    user = _locked(session, user_id)
    if not passwords.matches(user.password_hash, current):
        raise WrongPassword
    _set_password(session, user, password)
    session.flush()
    _spend_links(session, user.id, LinkPurpose.RESET_PASSWORD, now=now)
    sessions.revoke(session, user_id=user.id, keep=keep_session, now=now)
    _note(session, "user.password_changed", user.id, now=now, ip_address=ip_address)
    return user


def change_profile(
    session: Session, user_id: UUID, *, name: str, phone: str | None, language: str, now: datetime
) -> User:
    """Changes a user's name, phone and language; documents made from now on carry the new name.

    Raises `DetailsRefused`.
    """
    user = _locked(session, user_id)
    user.name, user.phone = checked_name(name), checked_phone(phone)
    user.language = language if language in LANGUAGES else user.language
    session.execute(
        update(Customer)
        .where(
            Customer.kind == CustomerKind.PERSON,
            Customer.id.in_(select(Membership.customer_id).where(Membership.user_id == user_id)),
        )
        .values(name=user.name)
    )
    _note(session, "user.profile_changed", user.id, now=now)
    return user


def revoke_sessions(
    session: Session,
    user_id: UUID,
    *,
    session_id: UUID | None = None,
    keep: UUID | None = None,
    now: datetime,
    ip_address: str = "",
) -> int:
    """Signs a user out of one browser, or of all but `keep`; returns of how many. A repeat finds none."""
    ended = sessions.revoke(session, user_id=user_id, session_id=session_id, keep=keep, now=now)
    if ended:
        _note(session, "user.sessions_revoked", user_id, now=now, ip_address=ip_address, ended=ended)
    return ended


def lock_for_departure(session: Session, user_id: UUID, customer_id: UUID, *, password: str) -> User:
    """Holds customer and user while the caller looks at what they still own; raises `WrongPassword`."""
    session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update(**ROW_LOCK))
    user = _locked(session, user_id)
    if not passwords.matches(user.password_hash, password):
        raise WrongPassword
    return user


def deactivate(
    session: Session,
    user: User,
    *,
    live_subscriptions: int,
    open_top_ups: int,
    credit: int,
    choice: rules.Departure,
    confirmed: bool,
    now: datetime,
    ip_address: str = "",
) -> None:
    """Closes an account and ends all its sessions; raises `DepartureRefused` by `rules.departure_problem`.

    The caller holds the locks of `lock_for_departure` and moves the credit itself, in the same transaction.
    """
    problem = rules.departure_problem(
        live_subscriptions=live_subscriptions,
        open_top_ups=open_top_ups,
        credit=credit,
        choice=choice,
        confirmed=confirmed,
    )
    if problem is not None:
        raise DepartureRefused(problem)
    administrators.refuse_if_last(session, user)
    user.active = False
    session.flush()
    for purpose in LinkPurpose:
        _spend_links(session, user.id, purpose, now=now)
    sessions.revoke(session, user_id=user.id, now=now)
    _note(session, "user.deactivated", user.id, now=now, ip_address=ip_address, forfeited=credit)


def ask_for_payout(session: Session, user: User, *, credit: int, now: datetime, ip_address: str = "") -> None:
    """Notes that a user wants their credit (whole rupiah) back before leaving; the account stays open."""
    _note(session, "user.payout_requested", user.id, now=now, ip_address=ip_address, credit=credit)


def _locked(session: Session, user_id: UUID) -> User:
    return session.get_one(User, user_id, with_for_update=ROW_LOCK, populate_existing=True)


def _use_link(session: Session, token: str, purpose: LinkPurpose, *, now: datetime) -> User:
    """Spends a link of the user it locks; of two requests at once the second waits, then finds it used."""
    owner = queries.link_owner(session, token, purpose)
    if owner is None:
        raise LinkSpent
    user = _locked(session, owner.id)
    statement = (
        update(MailedLink)
        .where(
            MailedLink.token_digest == digest(token),
            MailedLink.purpose == purpose,
            MailedLink.used_at.is_(None),
            MailedLink.expires_at > now,
        )
        .values(used_at=now)
        .returning(MailedLink.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise LinkSpent
    return user


def _spend_links(session: Session, user_id: UUID, purpose: LinkPurpose, *, now: datetime) -> None:
    session.execute(
        update(MailedLink)
        .where(MailedLink.user_id == user_id, MailedLink.purpose == purpose, MailedLink.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def _set_password(session: Session, user: User, password: str) -> None:
    _check_password(password, email=user.email, name=user.name)
    user.password_hash = passwords.hashed(password)


def _check_password(password: str, *, email: str, name: str) -> None:
    problem = rules.password_problem(password, email=email, name=name)
    if problem is not None:
        raise PasswordRefused(problem)


def checked_name(text: str) -> str:
    name = rules.normal_name(text)
    problem = rules.name_problem(name)
    if problem is not None:
        raise DetailsRefused(NAME_MESSAGES[problem])
    return name


def checked_email(text: str) -> str:
    address = rules.normal_email(text)
    if address is None:
        raise DetailsRefused
    return address


def checked_phone(text: str | None) -> str | None:
    phone = rules.normal_phone(text) if text and text.strip() else None
    if text and text.strip() and phone is None:
        raise DetailsRefused
    return phone


def _note(session: Session, action: str, user_id: UUID, *, now: datetime, ip_address: str = "", **facts: int) -> None:
    audit.note(
        session, action, subject_kind="user", subject_id=user_id, actor_id=user_id, now=now, ip_address=ip_address,
        **facts,
    )  # fmt: skip
