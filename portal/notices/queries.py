"""Notices as their page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.notices.models import Mail, MailPreference, Notice
from portal.notices.wording.categories import OPTIONAL, Category

PAGE_SIZE = 20


@dataclass(frozen=True)
class NoticePage:
    """One page of notices, newest first."""

    notices: list[Notice]
    number: int
    pages: int


def notice_page(session: Session, customer_id: UUID, *, number: int = 1) -> NoticePage:
    """Page `number`, counted from 1."""
    statement = (
        select(Notice, func.count().over())
        .where(Notice.customer_id == customer_id)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    rows = session.execute(statement).all()
    pages = -(-rows[0][1] // PAGE_SIZE) if rows else 0
    return NoticePage([row[0] for row in rows], number, pages)


@dataclass(frozen=True)
class MailPage:
    """One page of mails to a person, newest first."""

    mails: list[Mail]
    number: int
    pages: int


def mail_page(session: Session, user_id: UUID, *, number: int = 1) -> MailPage:
    """Page `number` of what was mailed to a person, counted from 1."""
    statement = (
        select(Mail, func.count().over())
        .where(Mail.user_id == user_id)
        .order_by(Mail.created_at.desc(), Mail.id.desc())
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    rows = session.execute(statement).all()
    pages = -(-rows[0][1] // PAGE_SIZE) if rows else 0
    return MailPage([row[0] for row in rows], number, pages)


def wanted_mails(session: Session, user_id: UUID) -> set[Category]:
    """The kinds of mail that a person did not decline, among those that may be."""
    declined = set(session.scalars(select(MailPreference.category).where(MailPreference.user_id == user_id)))
    return {category for category in OPTIONAL if category not in declined}
