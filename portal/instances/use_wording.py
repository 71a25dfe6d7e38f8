"""Health and use in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask_babel import format_datetime, format_decimal, format_timedelta
from flask_babel import lazy_gettext as _l

from portal.instances.checks import minutes_down
from portal.instances.history import Availability
from portal.instances.models import InstanceOutage

SPANS: dict[str, Any] = {"day": _l("24 hours"), "week": _l("7 days")}
UNKNOWN = "–"


def availability(one: Availability) -> str:
    """`99.8 %`, as the reader writes it; a dash when nobody asked."""
    return UNKNOWN if one.permille is None else f"{format_decimal(one.permille / 10)} %"


def duration(outage: InstanceOutage) -> str:
    """How long it lasted; it must be over."""
    assert outage.ended_at is not None
    return str(format_timedelta(timedelta(minutes=minutes_down(outage.began_at, outage.ended_at)), threshold=1))


def moment(value: datetime) -> str:
    """The beginning of a slice: `21 Nov 14:30`."""
    return str(format_datetime(value, "d MMM HH:mm"))
