"""What the pages about health and use are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from portal.instances import history, use_wording
from portal.instances.models import Instance

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MEASURED_WITHIN = timedelta(minutes=15)
"""An app that runs longer than this and was never measured runs in a cluster that does not measure."""


@dataclass(frozen=True)
class Span:
    """A stretch of time that charts show, and the slices it is cut into."""

    name: str
    length: timedelta
    step: timedelta


SPANS = {"day": Span("day", DAY, timedelta(minutes=30)), "week": Span("week", 7 * DAY, 3 * HOUR)}


def span_of(name: str) -> Span:
    """The span of that name; the last day when there is none."""
    return SPANS.get(name, SPANS["day"])


def use_page(session: Session, instance: Instance, span: Span, *, now: datetime) -> dict[str, Any]:
    """Availability, outages, and the series of the span, oldest slice first."""
    return {
        "instance": instance,
        "span": span,
        "spans": SPANS.values(),
        "words": use_wording,
        **_health(session, instance, span, now=now),
        **_use(session, instance, span, now=now),
    }


def _health(session: Session, instance: Instance, span: Span, *, now: datetime) -> dict[str, Any]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = history.health_hours(session, instance.id, since=hour - 30 * DAY)
    step = max(span.step, HOUR)
    return {
        "last_day": history.availability(hours, since=hour - DAY),
        "last_month": history.availability(hours, since=hour - 30 * DAY),
        "answers": history.slices(hours, since=hour + HOUR - span.length, until=hour + HOUR, step=step),
        "outages": history.outages(session, instance.id),
    }


def _use(session: Session, instance: Instance, span: Span, *, now: datetime) -> dict[str, Any]:
    begin = history.floor(now, span.step) + span.step - span.length
    found = history.measured(session, instance.id, since=begin, until=now, step=span.step)
    measured = any(one.cpu_millicores is not None for one in found.use)
    too_young = instance.ready_at is None or now - instance.ready_at < MEASURED_WITHIN
    return {
        "series": found.use, "measured": measured, "too_young": too_young,
        "storage": found.storage, "storage_size_mib": found.storage_size_mib,
    }  # fmt: skip
