"""Notices as their page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.notices.models import Notice

PAGE_SIZE = 20


@dataclass(frozen=True)
class NoticePage:
    """One page of notices, newest first."""

    notices: list[Notice]
    number: int
    more: bool

    @property
    def any_unread(self) -> bool:
        return any(notice.read_at is None for notice in self.notices)


def notice_page(session: Session, customer_id: UUID, *, number: int = 1) -> NoticePage:
    """Page `number`, counted from 1; asks for one row more than it shows, to know whether a next page exists."""
    statement = (
        select(Notice)
        .where(Notice.customer_id == customer_id)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE + 1)
    )
    notices = list(session.scalars(statement))
    return NoticePage(notices[:PAGE_SIZE], number, len(notices) > PAGE_SIZE)
