"""The mails of accounts, queued in the transaction of the verb they tell about."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.accounts import actions, administration, devices, queries
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


def tell_second_factor_on(session: Session, user: User, *, now: datetime) -> None:
    """Tells that codes are asked for from now on."""
    _send(session, user, "second_factor_on", key=new_id(), now=now)


def tell_second_factor_off(session: Session, user: User, *, now: datetime) -> None:
    """Tells the owner, who may not be the one who switched it off."""
    _send(session, user, "second_factor_off", key=new_id(), now=now)


def tell_second_factor_cleared(session: Session, user: User, *, now: datetime) -> None:
    """Tells somebody that we took their second factor off, at their wish as we believe."""
    _send(session, user, "second_factor_cleared", key=new_id(), now=now)


def tell_recovery_code_used(session: Session, user: User, *, now: datetime) -> None:
    """Tells that a recovery code stood in for the phone, and how many are left."""
    left = queries.recovery_codes_left(session, user.id)
    _send(session, user, "recovery_code_used", key=new_id(), now=now, parameters={"left": str(left)})


def tell_recovery_codes_renewed(session: Session, user: User, *, now: datetime) -> None:
    """Tells that the recovery codes of before no longer work."""
    _send(session, user, "recovery_codes_renewed", key=new_id(), now=now)


def tell_codes_guessed(session: Session, user: User, *, ip_address: str, now: datetime) -> None:
    """Warns that somebody knows the password and went on with wrong codes; at most once a day."""
    key = f"{user.id}:{clock.today(now)}"
    _send(session, user, "codes_guessed", key=key, now=now, parameters={"ip_address": ip_address or "?"})


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
