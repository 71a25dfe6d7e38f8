"""The mails of accounts, queued in the transaction of the verb they tell about."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.accounts import actions, administration, devices
from portal.accounts.models import LinkPurpose, User
from portal.core import clock
from portal.core.ids import new_id
from portal.notices import actions as notices


def send_verification(session: Session, user: User, *, now: datetime) -> None:
    """Mails a new link that confirms the address."""
    link_id, token = actions.issue_link(session, user, LinkPurpose.VERIFY_EMAIL, now=now)
    _send(session, user, "verify_email", key=link_id, now=now, token=token)


def send_password_reset(session: Session, user: User, *, now: datetime) -> None:
    """Mails a new link that sets a new password."""
    link_id, token = actions.issue_link(session, user, LinkPurpose.RESET_PASSWORD, now=now)
    _send(session, user, "reset_password", key=link_id, now=now, token=token)


def send_invitation(session: Session, user: User, *, now: datetime) -> None:
    """Mails a link by which somebody whose account was opened for them sets their first password."""
    purpose, lifetime = LinkPurpose.RESET_PASSWORD, administration.INVITATION_LIFETIME
    link_id, token = actions.issue_link(session, user, purpose, now=now, lifetime=lifetime)
    _send(session, user, "invitation", key=link_id, now=now, token=token)


def tell_email_changed(session: Session, user: User, *, old_address: str, now: datetime) -> None:
    """Tells the old address that the account has another one now."""
    notices.send_mail(
        session, to_address=old_address, language=user.language, code="email_changed", user_id=user.id,
        parameters={"recipient": user.name, "new_address": user.email}, unique_key=f"email_changed:{new_id()}", now=now,
    )  # fmt: skip


def tell_password_changed(session: Session, user: User, *, now: datetime) -> None:
    """Tells the owner, who may not be the one who changed it."""
    _send(session, user, "password_changed", key=new_id(), now=now)


def tell_registration_attempt(session: Session, user: User, *, now: datetime) -> None:
    """Tells the owner of an address that somebody tried to register it; at most once a day."""
    _send(session, user, "registration_attempt", key=f"{user.id}:{clock.today(now)}", now=now)


def tell_new_device(session: Session, user: User, *, user_agent: str, ip_address: str, now: datetime) -> None:
    """Tells of a sign-in from a kind of device not seen before."""
    device = ", ".join(filter(None, [devices.browser(user_agent), devices.system(user_agent)])) or "?"
    parameters = {"device": device, "ip_address": ip_address}
    _send(session, user, "new_sign_in", key=new_id(), now=now, parameters=parameters)


def tell_deactivated(session: Session, user: User, *, now: datetime) -> None:
    """Confirms that an account was closed."""
    _send(session, user, "account_deactivated", key=new_id(), now=now)


def _send(
    session: Session,
    user: User,
    code: str,
    *,
    key: UUID | str,
    now: datetime,
    parameters: dict[str, str] | None = None,
    token: str | None = None,
) -> None:
    notices.send_mail(
        session,
        to_address=user.email,
        language=user.language,
        code=code,
        parameters={"recipient": user.name, **(parameters or {})},
        secret_parameters={"token": token} if token else None,
        unique_key=f"{code}:{key}",
        now=now,
    )
