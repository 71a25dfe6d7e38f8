"""Notices as their page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.notices.models import Notice

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
