"""Periodic runs claim a row, so that two schedulers are harmless and an operator sees what ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, String, Text, and_, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from portal.core import clock
from portal.core.db import Base


class JobRun(Base):
    """One run of a periodic job: the moment it stands for, when it ran and how it ended."""

    __tablename__ = "job_run"
    __table_args__ = (Index("ix_job_run_started_at", "started_at"),)

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(Text)  # a sentence for the operator
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)  # what was done, by name; grows while it runs
    error: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True)
class Running:
    """The run that the surrounding code works for."""

    name: str
    scheduled_for: datetime


_current: ContextVar[Running | None] = ContextVar("job_run", default=None)


def claim(
    session: Session,
    name: str,
    *,
    scheduled_for: datetime,
    now: datetime,
    dead_before: datetime | None = None,
    failed_before: datetime | None = None,
) -> bool:
    """True for exactly one caller per name and moment.

    A run that never ended and began before `dead_before`, its worker being gone, is taken over; so is one that ended
    with an error before `failed_before`.
    """
    row = {"name": name, "scheduled_for": scheduled_for, "started_at": now, "counts": {}}
    statement = upsert(JobRun).values(row)
    if dead_before is None or failed_before is None:
        statement = statement.on_conflict_do_nothing()
    else:
        died = and_(JobRun.ended_at.is_(None), JobRun.started_at < dead_before)
        failed = and_(JobRun.error.is_not(None), JobRun.ended_at < failed_before)
        statement = statement.on_conflict_do_update(
            index_elements=["name", "scheduled_for"],
            set_={"started_at": now, "ended_at": None, "error": None, "result": None, "counts": {}},
            where=or_(died, failed),
        )
    return session.scalar(statement.returning(JobRun.name)) is not None


class running:  # noqa: N801 - reads as a word: `with job_runs.running(name, moment)`
    """Names the run that the surrounding code works for."""

    def __init__(self, name: str, scheduled_for: datetime) -> None:
        self._run = Running(name, scheduled_for)

    def __enter__(self) -> None:
        self._token = _current.set(self._run)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def moment() -> datetime:
    """The moment the present run stands for, which may be long past; this instant outside any run."""
    run = _current.get()
    return run.scheduled_for if run else clock.now()


def progress(session: Session, counts: Mapping[str, int]) -> None:
    """Notes how far the present run has come, in the surrounding transaction; outside any run it does nothing."""
    run = _current.get()
    if run is not None:
        session.get_one(JobRun, (run.name, run.scheduled_for), populate_existing=True).counts = dict(counts)


def end(
    session: Session,
    name: str,
    *,
    scheduled_for: datetime,
    now: datetime,
    result: str | None = None,
    counts: Mapping[str, int] | None = None,
    error: str | None = None,
) -> None:
    """Notes how a claimed run ended. Without `counts` those of the last progress stay."""
    run = session.get_one(JobRun, (name, scheduled_for), populate_existing=True)
    run.ended_at, run.result, run.error = now, result, error
    if counts is not None:
        run.counts = dict(counts)


def newest_start(session: Session) -> datetime | None:
    """When periodic work last began, whichever."""
    return session.scalar(select(func.max(JobRun.started_at)))


def last_ended(session: Session, names: Iterable[str]) -> dict[str, JobRun]:
    """Each of these jobs' newest run that ended, by name: one step in the index each, however many runs are kept."""
    wanted = func.unnest(array(list(names), type_=String)).table_valued("name")
    newest = (
        select(JobRun)
        .where(JobRun.name == wanted.c.name, JobRun.ended_at.is_not(None))
        .order_by(JobRun.scheduled_for.desc())
        .limit(1)
        .lateral()
    )
    run = aliased(JobRun, newest)
    return {found.name: found for found in session.scalars(select(run).select_from(wanted).join(run, true()))}


def ran_before(session: Session, name: str, moment: datetime) -> bool:
    """Whether any run of a job stands for an earlier moment."""
    return bool(session.scalar(select(exists().where(JobRun.name == name, JobRun.scheduled_for < moment))))


def under_way(session: Session, name: str, *, dead_before: datetime) -> bool:
    """Whether a run of this job began and has not ended, its worker being alive."""
    running = exists().where(JobRun.name == name, JobRun.ended_at.is_(None), JobRun.started_at >= dead_before)
    return bool(session.scalar(select(running)))


def latest(session: Session, name: str | None = None, *, limit: int) -> list[JobRun]:
    """The newest runs, of one job or of all; newest first."""
    statement = select(JobRun).order_by(JobRun.started_at.desc()).limit(limit)
    return list(session.scalars(statement.where(JobRun.name == name) if name else statement))


def sentence(counts: Mapping[str, int]) -> str:
    """Counts as an operator reads them: `renewed 12, suspended 1`."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
