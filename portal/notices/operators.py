"""Who hears of what the operator must look at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Role, User


@dataclass(frozen=True)
class Reader:
    """An address, and the language it is written to in."""

    address: str
    language: str


def readers(session: Session) -> list[Reader]:
    """Those of `ALERT_EMAILS`; else `OPERATOR_EMAIL`; without either every administrator with an open account."""
    named = settings().alert_emails or settings().operator_email
    if named:
        addresses = dict.fromkeys(part.strip() for part in named.split(",") if part.strip())
        return [Reader(address, settings().operator_language) for address in addresses]
    administrators = select(User).where(User.role == Role.ADMINISTRATOR, User.active).order_by(User.id)
    return [Reader(user.email, user.language) for user in session.scalars(administrators)]
