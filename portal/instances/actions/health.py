"""What health checks found: history by the hour, outages that begin and end, and the customer told of both once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.core.ids import new_id
from portal.instances import checks as rules
from portal.instances.checks import Check
from portal.instances.models import Health, Instance, InstanceHealthHour, InstanceOutage, InstanceState
from portal.notices import actions as notices

RUNS = and_(Instance.state == InstanceState.RUNNING, Instance.fenced_at.is_(None), Instance.deadline_at.is_(None))
"""What is asked and counted: stopped, suspended and rolling apps owe nobody an answer."""


def record_checks(session: Session, checks: Sequence[Check], *, now: datetime) -> int:
    """Notes a batch of checks; returns how many outages were told to customers.

    An app that stopped, rolls or is being changed at this moment is left out: its answer says nothing.
    """
    counted = _locked(session, [check.due.id for check in checks])
    checks = [check for check in checks if check.due.id in counted]
    answered = [check.due.id for check in checks if check.answered]
    silent = [check.due.id for check in checks if not check.answered]
    _count_hours(session, checks, now=now)
    _note_answers(session, answered, now=now)
    _note_silence(session, silent, now=now)
    _open_outages(session, silent)
    _close_outages(session, InstanceOutage.instance_id.in_(answered), now=now, telling=True)
    return _tell_outages(session, silent, now=now)


def record_unclear(session: Session, *, asked_before: datetime, now: datetime) -> None:
    """So many were silent together that nobody knows how the apps not heard in this round are: no count moves."""
    unheard = or_(Instance.health_checked_at.is_(None), Instance.health_checked_at < asked_before)
    statement = update(Instance).where(RUNS, unheard).values(health=Health.UNCLEAR, health_checked_at=now)
    session.execute(statement.execution_options(synchronize_session=False))


def close_resting(session: Session, *, now: datetime) -> None:
    """An app that was stopped, suspended or deleted is not down any more; nobody is told that it is back."""
    down = (InstanceState.RUNNING, InstanceState.PROVISIONING, InstanceState.ERROR)
    resting = select(Instance.id).where(or_(Instance.state.not_in(down), Instance.fenced_at.is_not(None)))
    _close_outages(session, InstanceOutage.instance_id.in_(resting), now=now, telling=False)


def _locked(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Those that are counted, locked in order. One that somebody is changing is skipped, never waited for."""
    statement = select(Instance.id).where(Instance.id.in_(ids), RUNS).order_by(Instance.id)
    return set(session.scalars(statement.with_for_update(key_share=True, skip_locked=True)))


def _count_hours(session: Session, checks: Sequence[Check], *, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows = [
        {
            "instance_id": check.due.id,
            "hour": hour,
            "asked": 1,
            "answered": int(check.answered),
            "took_ms_sum": check.took_ms if check.answered else 0,
            "took_ms_max": check.took_ms if check.answered else 0,
        }
        for check in checks
    ]
    if not rows:
        return
    table, statement = InstanceHealthHour, upsert(InstanceHealthHour).values(rows)
    new = statement.excluded
    sums = {name: getattr(table, name) + new[name] for name in ("asked", "answered", "took_ms_sum")}
    sums["took_ms_max"] = func.greatest(table.took_ms_max, new.took_ms_max)
    session.execute(statement.on_conflict_do_update(index_elements=["instance_id", "hour"], set_=sums))


def _note_answers(session: Session, ids: Sequence[UUID], *, now: datetime) -> None:
    values = {"health": Health.ANSWERS, "health_checked_at": now, "silent_count": 0, "silent_since": None}
    _write(session, ids, values)


def _note_silence(session: Session, ids: Sequence[UUID], *, now: datetime) -> None:
    """One more in a row, or the first of a row after a time without checks."""
    in_a_row = and_(Instance.silent_count > 0, Instance.health_checked_at > now - rules.STALE_AFTER)
    values = {
        "health": Health.SILENT,
        "health_checked_at": now,
        "silent_count": case((in_a_row, Instance.silent_count + 1), else_=1),
        "silent_since": case((in_a_row, func.coalesce(Instance.silent_since, now)), else_=now),
    }
    _write(session, ids, values)


def _write(session: Session, ids: Sequence[UUID], values: dict[str, Any]) -> None:
    statement = update(Instance).where(Instance.id.in_(ids)).values(values)
    session.execute(statement.execution_options(synchronize_session=False))


def _open_outages(session: Session, ids: Sequence[UUID]) -> None:
    """For every app silent often enough; one that has an open outage keeps it."""
    enough = select(Instance.id, Instance.silent_since).where(
        Instance.id.in_(ids), Instance.silent_count >= rules.OUTAGE_AFTER
    )
    rows = [{"id": new_id(), "instance_id": row.id, "began_at": row.silent_since} for row in session.execute(enough)]
    if rows:
        session.execute(upsert(InstanceOutage).values(rows).on_conflict_do_nothing())


def _close_outages(session: Session, which: ColumnElement[bool], *, now: datetime, telling: bool) -> None:
    statement = (
        update(InstanceOutage)
        .where(InstanceOutage.ended_at.is_(None), which)
        .values(ended_at=now)
        .returning(InstanceOutage)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    closed = list(session.scalars(statement))
    told = [outage for outage in closed if outage.told_at is not None]
    if telling:
        _tell_all(session, "app_answers_again", told, now=now)


def _tell_outages(session: Session, ids: Sequence[UUID], *, now: datetime) -> int:
    """Tells of every open outage not told yet, unless the customer heard of the same app too lately."""
    statement = select(InstanceOutage).where(
        InstanceOutage.instance_id.in_(ids), InstanceOutage.ended_at.is_(None), InstanceOutage.told_at.is_(None)
    )
    untold = list(session.scalars(statement.execution_options(populate_existing=True)))
    heard = _heard(session, [outage.instance_id for outage in untold], now=now)
    due = [one for one in untold if rules.may_tell(heard.get(one.instance_id, []), now=now)]
    for outage in due:
        outage.told_at = now
    _tell_all(session, "app_silent", due, now=now)
    return len(due)


def _heard(session: Session, ids: Sequence[UUID], *, now: datetime) -> dict[UUID, list[datetime]]:
    """When customers were told of outages of these apps during the last day."""
    statement = select(InstanceOutage.instance_id, InstanceOutage.told_at).where(
        InstanceOutage.instance_id.in_(ids), InstanceOutage.told_at > now - timedelta(days=1)
    )
    found: dict[UUID, list[datetime]] = {}
    for instance_id, told_at in session.execute(statement):
        if told_at is not None:
            found.setdefault(instance_id, []).append(told_at)
    return found


def _tell_all(session: Session, code: str, outages: Iterable[InstanceOutage], *, now: datetime) -> None:
    for outage in outages:
        instance = session.get_one(Instance, outage.instance_id)
        facts: dict[str, Any] = {"service": instance.service_name, "name": instance.name}
        facts |= {"instance_id": str(instance.id), "began_at": outage.began_at.isoformat()}
        if outage.ended_at is not None:
            facts["ended_at"] = outage.ended_at.isoformat()
            facts["away_minutes"] = rules.minutes_down(outage.began_at, outage.ended_at)
        notices.tell(
            session, customer_id=instance.customer_id, code=code, parameters=facts,
            unique_key=f"{code}:{outage.id}", now=now,
        )  # fmt: skip
