"""Periodic runs claim a row, so that two schedulers are harmless and an operator sees what ran."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.db import Base


class JobRun(Base):
    """One run of a periodic job: the moment it stands for, when it ran and how it ended."""

    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(Text)  # a sentence for the operator
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)  # what was done, by name; grows while it runs
    error: Mapped[str | None] = mapped_column(Text)


def claim(session: Session, name: str, *, scheduled_for: datetime, now: datetime) -> bool:
    """True for exactly one caller per name and moment."""
    row = {"name": name, "scheduled_for": scheduled_for, "started_at": now}
    statement = upsert(JobRun).values(row).on_conflict_do_nothing().returning(JobRun.name)
    return session.scalar(statement) is not None


def end(session: Session, name: str, *, scheduled_for: datetime, now: datetime, error: str | None = None) -> None:
    """Notes how a claimed run ended."""
    run = session.get_one(JobRun, (name, scheduled_for))
    run.ended_at, run.error = now, error


def last_started(session: Session) -> dict[str, datetime]:
    """When each periodic job last started, by name."""
    statement = (
        select(JobRun.name, JobRun.started_at).distinct(JobRun.name).order_by(JobRun.name, JobRun.scheduled_for.desc())
    )
    return dict(session.execute(statement).tuples().all())
