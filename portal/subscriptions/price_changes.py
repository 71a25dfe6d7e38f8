"""What a new price would mean for the subscriptions that run, told before it is set. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.clock import JAKARTA
from portal.subscriptions.actions.pricing import not_there_yet
from portal.subscriptions.models import HOLDS_SLOT, Subscription
from portal.subscriptions.rules.periods import period_end
from portal.subscriptions.rules.prices import News, announcement


@dataclass(frozen=True)
class Effect:
    """Whom a new price reaches. `since` is when the oldest of them subscribed, `first_bill_at` the first renewal that
    any of them pays at the new price; None when nobody is concerned, or nobody of them pays by renewals now."""

    dearer: int = 0
    cheaper: int = 0
    kept: int = 0  # a price that was announced to them does not come
    since: datetime | None = None
    first_bill_at: datetime | None = None

    @property
    def concerned(self) -> int:
        return self.dearer + self.cheaper + self.kept


def effect(
    session: Session, plan_id: UUID, interval: str, new_price: int, *, now: datetime, notice: timedelta
) -> Effect:
    """Of `new_price` for whoever subscribes to the plan by `interval`, by the rule that will announce it."""
    counts, since, bills = dict.fromkeys(News, 0), [], []
    for group in session.execute(_groups(plan_id, interval, new_price)):
        said = announcement(
            group.price, group.next_price, group.next_price_from, new_price=new_price, now=now, notice=notice
        )
        if said is None:
            continue
        counts[said.news] += group.many
        since.append(group.since)
        if group.ends_at is not None and said.next_price_from is not None:
            bills.append(_first_end(group, interval, said.next_price_from))
    return Effect(
        counts[News.DEARER], counts[News.CHEAPER], counts[News.KEPT], min(since, default=None), min(bills, default=None)
    )


def _groups(plan_id: UUID, interval: str, new_price: int) -> Any:
    """Those who know the same, by the month and day their period ends: some hundred rows, however many they are."""
    ends_at = Subscription.period_ends_at
    month = func.date_trunc("month", func.timezone(str(JAKARTA), ends_at))
    renews = Subscription.status.in_(HOLDS_SLOT) & Subscription.cancel_requested_at.is_(None)
    alike = (
        Subscription.price, Subscription.next_price, Subscription.next_price_from, Subscription.anchor_day, month,
    )  # fmt: skip
    sums = (
        func.count().label("many"),
        func.min(Subscription.started_at).label("since"),
        func.min(ends_at).filter(renews).label("ends_at"),
    )
    return select(*alike, *sums).where(not_there_yet(plan_id, interval, new_price)).group_by(*alike)


def _first_end(group: Any, interval: str, begins_at: datetime) -> datetime:
    return next(end for end in _ends(group.ends_at, interval, group.anchor_day) if end >= begins_at)


def _ends(ends_at: datetime, interval: str, anchor_day: int) -> Iterator[datetime]:
    while True:
        yield ends_at
        ends_at = period_end(ends_at, interval, anchor_day=anchor_day)
