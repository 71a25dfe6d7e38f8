"""May a plan be changed, to which one, and what a change under way holds up. Pure: buttons and actions ask the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from portal.catalog.models import Interval, Plan
from portal.instances.models import Instance
from portal.instances.rules import is_resizing
from portal.subscriptions.models import UNDER_WAY, PlanChange, PlanChangeStatus, Subscription, SubscriptionStatus
from portal.subscriptions.rules.proration import is_upgrade

QUOTED, RESIZING, ROLLING_BACK, DONE, ROLLED_BACK, LAPSED = PlanChangeStatus

MOVES: dict[PlanChangeStatus, frozenset[PlanChangeStatus]] = {
    # from          to
    QUOTED: frozenset({RESIZING, DONE, LAPSED}),  # at once DONE: by the year instead of by the month, same plan
    RESIZING: frozenset({DONE, ROLLING_BACK}),
    ROLLING_BACK: frozenset({ROLLED_BACK}),
    DONE: frozenset(),
    ROLLED_BACK: frozenset(),
    LAPSED: frozenset(),
}
"""Every allowed move of a change of plan."""


class Hurdle(StrEnum):
    """Why a subscription's plan cannot be changed as it stands."""

    NOT_ACTIVE = "NOT_ACTIVE"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"  # undo it first
    UNDER_WAY = "UNDER_WAY"
    RENEWAL_DUE = "RENEWAL_DUE"  # the period is over and the next one is being charged
    APP_BUSY = "APP_BUSY"  # an app is in its first roll-out, being updated or in an administrator's hands


def can_move(status: str, to: PlanChangeStatus) -> bool:
    """Whether a change's status may become `to`."""
    return to in MOVES[PlanChangeStatus(status)]


def blocks_renewal(status: str | None) -> bool:
    """While a change in this status is under way, time waits: no renewal, grace or suspension, no end by anybody's
    word. It lasts minutes, and its end (with or without the new plan) says what the next period costs."""
    return status in UNDER_WAY


def hurdle(subscription: Subscription, *, under_way: bool, apps_ready: bool, now: datetime) -> Hurdle | None:
    """The first thing in the way of a change, in the order in which it matters; None when it may go through."""
    if under_way:
        return Hurdle.UNDER_WAY
    if subscription.status != SubscriptionStatus.ACTIVE:
        return Hurdle.NOT_ACTIVE
    if subscription.cancel_requested_at is not None:
        return Hurdle.CANCELLATION_REQUESTED
    if now >= subscription.period_ends_at:
        return Hurdle.RENEWAL_DUE
    return None if apps_ready else Hurdle.APP_BUSY


def leads_up(subscription: Subscription, from_plan: Plan, to_plan: Plan, interval: str) -> bool:
    """Is `to_plan` by `interval` a step up from what runs: a higher tier of the same app, or the year instead of the
    month?"""
    return from_plan.service_id == to_plan.service_id and is_upgrade(
        from_tier=from_plan.plan_type,
        to_tier=to_plan.plan_type,
        from_interval=subscription.interval,
        to_interval=interval,
    )


def choices(subscription: Subscription, from_plan: Plan, plans: Iterable[Plan]) -> Iterator[tuple[Plan, Interval]]:
    """Everything a subscription can be changed to: what is sold and leads up, lowest first."""
    for plan in sorted(plans, key=lambda one: one.sort_order):
        for interval in Interval:
            if plan.active and plan.price(interval) is not None and leads_up(subscription, from_plan, plan, interval):
                yield plan, interval


def is_stale(change: PlanChange, subscription: Subscription, *, now: datetime) -> bool:
    """A quote that no longer says what a change would cost: its time is up, or the subscription has moved on."""
    quoted = (change.from_plan_id, change.from_interval, change.from_price, change.period_number)
    present = (subscription.plan_id, subscription.interval, subscription.price, subscription.period_number)
    return change.status != PlanChangeStatus.QUOTED or now >= change.expires_at or quoted != present


def failure(apps: Iterable[Instance], *, late: bool) -> str | None:
    """Why the apps of a change will not run in their new size; None as long as they may, or when they do."""
    waiting = [app for app in apps if is_resizing(app)]
    broken = next((app.failure_code for app in waiting if app.failure_code is not None), None)
    return broken or ("not_ready_in_time" if waiting and late else None)


def all_resized(apps: Iterable[Instance]) -> bool:
    """Each runs in its new size, or was stopped and will start with it."""
    return not any(is_resizing(app) for app in apps)


def needs_cluster(change: PlanChange) -> bool:
    """Another plan gives its apps another size; the same one by the year changes figures alone."""
    return change.from_plan_id != change.to_plan_id
