"""Reads of an app's health and use: what to ask next, and the series behind the charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, literal, select, union_all
from sqlalchemy.orm import Session

from portal.instances import checks as rules
from portal.instances.checks import Due
from portal.instances.models import Health, Instance, InstanceHealthHour, InstanceOutage, InstanceState, InstanceUse
from portal.nodes.models import VolumeUse

OUTAGES_SHOWN = 10
MEBIBYTE = 2**20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Availability:
    """How often an app answered in a span of time; without `asked` nobody knows."""

    asked: int
    answered: int

    @property
    def permille(self) -> int | None:
        return rules.availability_permille(self.asked, self.answered)


@dataclass(frozen=True)
class HealthHour:
    """An hour or a day of checks; `asked` is 0 where the app was not meant to answer."""

    began_at: datetime
    asked: int = 0
    answered: int = 0
    took_ms: int | None = None  # on average, of the answered ones


def due_for_check(session: Session, after: UUID, *, limit: int) -> list[Due]:
    """Apps that should answer now, by id in ascending order, beginning behind `after`."""
    out = exists().where(InstanceOutage.instance_id == Instance.id, InstanceOutage.ended_at.is_(None))
    statement = select(Instance.id, Instance.name, out.label("out")).where(
        Instance.state == InstanceState.RUNNING,
        Instance.fenced_at.is_(None),
        Instance.deadline_at.is_(None),
        Instance.id > after,
    )
    return [Due(row.id, row.name, row.out) for row in session.execute(statement.order_by(Instance.id).limit(limit))]


def is_unclear(session: Session) -> bool:
    """The last round could not tell how the apps are."""
    unclear = select(exists().where(Instance.health == Health.UNCLEAR, Instance.state == InstanceState.RUNNING))
    return bool(session.scalar(unclear))


def health_hours(session: Session, instance_id: UUID, *, since: datetime) -> Sequence[InstanceHealthHour]:
    """Every hour with checks since then, oldest first."""
    statement = select(InstanceHealthHour).where(
        InstanceHealthHour.instance_id == instance_id, InstanceHealthHour.hour >= since
    )
    return session.scalars(statement.order_by(InstanceHealthHour.hour)).all()


def availability(hours: Sequence[InstanceHealthHour], *, since: datetime) -> Availability:
    """Of those hours, the ones since then."""
    chosen = [hour for hour in hours if hour.hour >= since]
    return Availability(sum(hour.asked for hour in chosen), sum(hour.answered for hour in chosen))


def slices(
    hours: Sequence[InstanceHealthHour], *, since: datetime, until: datetime, step: timedelta
) -> list[HealthHour]:
    """The hours summed into slices of `step`, none left out."""
    found = []
    while since < until:
        inside = [hour for hour in hours if since <= hour.hour < since + step]
        found.append(_slice(since, inside))
        since += step
    return found


def _slice(began_at: datetime, hours: Sequence[InstanceHealthHour]) -> HealthHour:
    answered = sum(hour.answered for hour in hours)
    took_ms = sum(hour.took_ms_sum for hour in hours) // answered if answered else None
    return HealthHour(began_at, sum(hour.asked for hour in hours), answered, took_ms)


def outages(session: Session, instance_id: UUID) -> Sequence[InstanceOutage]:
    """The last few, newest first."""
    statement = select(InstanceOutage).where(InstanceOutage.instance_id == instance_id)
    return session.scalars(statement.order_by(InstanceOutage.began_at.desc()).limit(OUTAGES_SHOWN)).all()


@dataclass(frozen=True)
class UseSlice:
    """What an app used in a slice of time, on average and at most; None where nobody measured."""

    began_at: datetime
    cpu_millicores: int | None = None
    cpu_millicores_max: int | None = None
    memory_mib: int | None = None
    memory_mib_max: int | None = None


@dataclass(frozen=True)
class StorageSlice:
    """How full a volume was in a slice of time, on average and at most; None where no agent reported."""

    began_at: datetime
    used_mib: int | None = None
    used_mib_max: int | None = None


def floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the slice that the moment is in."""
    return EPOCH + (moment - EPOCH) // step * step


@dataclass(frozen=True)
class Measured:
    """Both series of a span, none of its slices left out; `storage_size_mib` is 0 where no agent reported."""

    use: list[UseSlice]
    storage: list[StorageSlice]
    storage_size_mib: int


def measured(session: Session, instance_id: UUID, *, since: datetime, until: datetime, step: timedelta) -> Measured:
    """What was measured and reported, summed into slices of `step` from `since` on. One question for both."""
    rows = session.execute(union_all(_use(instance_id, since, step), _storage(instance_id, since, step))).all()
    use = {row.began_at: UseSlice(row.began_at, *map(round, row[2:6])) for row in rows if row.kind == "use"}
    reported = [row for row in rows if row.kind == "storage"]
    storage = {row.began_at: StorageSlice(row.began_at, round(row[2]), round(row[3])) for row in reported}
    newest = max(reported, key=lambda row: row.began_at, default=None)
    moments = []
    while since <= until:
        moments.append(since)
        since += step
    return Measured(
        [use.get(one) or UseSlice(one) for one in moments],
        [storage.get(one) or StorageSlice(one) for one in moments],
        round(newest[4]) if newest else 0,
    )


def _use(instance_id: UUID, since: datetime, step: timedelta) -> Select[Any]:
    began_at = func.date_bin(step, InstanceUse.measured_at, since).label("began_at")
    cpu, memory = InstanceUse.cpu_millicores, InstanceUse.memory_mib
    sums = (func.avg(cpu), func.max(cpu) * 1.0, func.avg(memory), func.max(memory) * 1.0)
    mine = (InstanceUse.instance_id == instance_id, InstanceUse.measured_at >= since)
    return select(literal("use").label("kind"), began_at, *sums).where(*mine).group_by(began_at)


def _storage(instance_id: UUID, since: datetime, step: timedelta) -> Select[Any]:
    began_at = func.date_bin(step, VolumeUse.measured_at, since).label("began_at")
    used, size = VolumeUse.used_bytes / MEBIBYTE, VolumeUse.capacity_bytes / MEBIBYTE
    sums = (func.avg(used), func.max(used), func.max(size), func.max(size))
    mine = (VolumeUse.instance_id == instance_id, VolumeUse.measured_at >= since)
    return select(literal("storage").label("kind"), began_at, *sums).where(*mine).group_by(began_at)
