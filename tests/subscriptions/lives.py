"""Lives of subscriptions, made by hand for the pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from portal.core.clock import JAKARTA
from portal.subscriptions.rules.life import Life, Terms
from portal.subscriptions.rules.periods import add_months

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
TERMS = Terms(grace=timedelta(days=7), data_kept=timedelta(days=30), last_warning=timedelta(days=3))


def life(ends_at: datetime, **changes: Any) -> Life:
    """An ordinary active life whose month ends then, with `changes`."""
    local = ends_at.astimezone(JAKARTA)
    begun = local.replace(**_day(add_months(local.date(), -1, anchor_day=local.day)))
    values: dict[str, Any] = {
        "status": "ACTIVE", "interval": "MONTHLY", "anchor_day": local.day, "price": 25_000, "period_number": 1,
        "period_started_at": begun.astimezone(UTC), "period_ends_at": ends_at, "due_at": ends_at, "remind_at": None,
        "holds_slot": True, "auto_renew": True, "cancel_requested_at": None, "next_price": None,
        "next_price_from": None, "grace_ends_at": None, "suspended_at": None, "suspend_reason": None,
        "data_kept_until": None, "warned_at": None, "ended_at": None, "end_reason": None,
    }  # fmt: skip
    return Life(**values | changes)


def _day(day: Any) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}
