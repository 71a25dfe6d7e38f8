"""What time does to a subscription: one pure step from one state to the next.

The renewal run, a credit that arrives and the forecast of the runway all ask `advance`, so they cannot disagree.

| state | when due | and | becomes |
|---|---|---|---|
| TRIALING, ACTIVE | the period's end | a cancellation was asked for | CANCELLED |
| | | auto-renew is off | SUSPENDED |
| | | the credit covers the price | ACTIVE, the next period |
| ACTIVE | | it does not | PAST_DUE, running, for the days of grace |
| TRIALING | | it does not | SUSPENDED |
| PAST_DUE | every day | the credit covers the price | ACTIVE, the period that is owed |
| | | the grace is over | SUSPENDED |
| SUSPENDED | days before its data goes | | SUSPENDED, warned |
| | the data's time is up | | EXPIRED |

A customer's own word moves it too: `resumed` from SUSPENDED, and ending at once from any live state.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum

from portal.core.clock import today
from portal.subscriptions.models import (
    ENDED,
    ChargeKind,
    EndReason,
    Subscription,
    SubscriptionStatus,
    SuspendReason,
)
from portal.subscriptions.rules.periods import period_end

RETRY_EVERY = timedelta(days=1)
REMINDERS = (timedelta(days=7), timedelta(days=1))
"""How long before a renewal, or a trial's end, the customer is told of it."""

TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELLED, EXPIRED = (
    SubscriptionStatus.TRIALING,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE,
    SubscriptionStatus.SUSPENDED,
    SubscriptionStatus.CANCELLED,
    SubscriptionStatus.EXPIRED,
)


@dataclass(frozen=True)
class Terms:
    """The operator's settings that time goes by."""

    grace: timedelta
    data_kept: timedelta
    last_warning: timedelta


@dataclass(frozen=True)
class Life:
    """The columns of a subscription that time works on, by the same names."""

    status: str
    interval: str
    anchor_day: int
    price: int
    period_number: int
    period_started_at: datetime
    period_ends_at: datetime
    due_at: datetime | None
    remind_at: datetime | None
    holds_slot: bool
    auto_renew: bool
    cancel_requested_at: datetime | None
    next_price: int | None
    next_price_from: datetime | None
    grace_ends_at: datetime | None
    suspended_at: datetime | None
    suspend_reason: str | None
    data_kept_until: datetime | None
    warned_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None


LIFE_COLUMNS = tuple(field.name for field in fields(Life))


def life_of(subscription: Subscription) -> Life:
    """The subscription's life as it is now."""
    return Life(**{name: getattr(subscription, name) for name in LIFE_COLUMNS})


class Step(StrEnum):
    """What happened in one step."""

    RENEWED = "RENEWED"
    CONVERTED = "CONVERTED"  # a trial became a paid subscription
    RESUMED = "RESUMED"
    FELL_DUE = "FELL_DUE"  # not enough credit: grace begins
    STILL_DUE = "STILL_DUE"  # a retry in grace found too little
    SUSPENDED = "SUSPENDED"
    WARNED = "WARNED"
    ENDED = "ENDED"


CHARGE_KINDS = {
    Step.RENEWED: ChargeKind.RENEWAL,
    Step.CONVERTED: ChargeKind.FIRST,
    Step.RESUMED: ChargeKind.RESUMPTION,
}


@dataclass(frozen=True)
class Turn:
    """One step: the life after it, what it takes from credit, and what was missing when it took nothing."""

    step: Step
    life: Life
    charge: int = 0
    missing: int = 0


def is_due(life: Life, *, now: datetime) -> bool:
    """Has time something to do?"""
    return life.due_at is not None and life.due_at <= now


def price_from(life: Life, begins_at: datetime) -> int:
    """The price of a period that begins then: an announced one from its day on."""
    if life.next_price is not None and life.next_price_from is not None and begins_at >= life.next_price_from:
        return life.next_price
    return life.price


def amount_due(life: Life, *, setup_fee: int = 0) -> int:
    """What the period that comes next costs; the setup fee belongs to the first one that is paid."""
    return price_from(life, life.period_ends_at) + (setup_fee if life.status == TRIALING else 0)


def advance(life: Life, *, balance: int, now: datetime, terms: Terms, setup_fee: int = 0) -> Turn:
    """The one step that is due at `now`, for a customer who can spend `balance`. More may be due after it.

    `setup_fee` is charged with a trial's conversion only.
    """
    assert is_due(life, now=now), "time has nothing to do here"
    if life.status == SUSPENDED:
        return _toward_the_end(life, now=now, terms=terms)
    if life.cancel_requested_at is not None:
        return ended(life, EndReason.CANCELLED, now=now)
    if not life.auto_renew:
        reason = SuspendReason.TRIAL_ENDED if life.status == TRIALING else SuspendReason.NOT_RENEWED
        return _suspended(life, reason, now=now, terms=terms)
    return _charge_or_wait(life, amount_due(life, setup_fee=setup_fee), balance, now=now, terms=terms)


def try_to_pay(life: Life, *, balance: int, now: datetime) -> Turn | None:
    """What a credit that arrived settles: an overdue period, or the way back from an unpaid suspension; else None.

    It never makes anything worse: what still cannot be paid stays as it is.
    """
    if life.status == PAST_DUE and life.auto_renew and life.cancel_requested_at is None:
        amount = amount_due(life)
        return _renewed(life, amount, now=now) if balance >= amount else None
    if may_resume_by_itself(life) and balance >= price_from(life, now):
        return resumed(life, now=now)
    return None


def may_resume_by_itself(life: Life | Subscription) -> bool:
    """Suspended only because the credit was short."""
    unpaid = life.status == SUSPENDED and life.suspend_reason == SuspendReason.UNPAID
    return unpaid and life.auto_renew and life.cancel_requested_at is None


def _charge_or_wait(life: Life, amount: int, balance: int, *, now: datetime, terms: Terms) -> Turn:
    if balance >= amount:
        return _renewed(life, amount, now=now)
    missing = amount - balance
    if life.status == TRIALING:
        turn = _suspended(life, SuspendReason.TRIAL_ENDED, now=now, terms=terms)
    elif life.status == ACTIVE and terms.grace:
        ends_at = now + terms.grace
        turn = Turn(
            Step.FELL_DUE,
            replace(life, status=PAST_DUE, grace_ends_at=ends_at, due_at=_next_try(now, ends_at), remind_at=None),
        )
    elif life.grace_ends_at is not None and now < life.grace_ends_at:
        turn = Turn(Step.STILL_DUE, replace(life, due_at=_next_try(now, life.grace_ends_at)))
    else:
        turn = _suspended(life, SuspendReason.UNPAID, now=now, terms=terms)
    return replace(turn, missing=missing)


def _next_try(now: datetime, grace_ends_at: datetime) -> datetime:
    return min(now + RETRY_EVERY, grace_ends_at)


def _renewed(life: Life, amount: int, *, now: datetime) -> Turn:
    """The next period begins where the last one ended, however late it is paid: no day is lost or given."""
    step = Step.CONVERTED if life.status == TRIALING else Step.RENEWED
    begins_at = life.period_ends_at
    anchor_day = today(begins_at).day if step is Step.CONVERTED else life.anchor_day
    return Turn(step, _in_period(life, begins_at, anchor_day=anchor_day, now=now), charge=amount)


def resumed(life: Life, *, now: datetime) -> Turn:
    """A new period begins now: the days without service are not owed. Charge and slot are the caller's to take."""
    assert life.status == SUSPENDED, "only what is suspended is resumed"
    after = _in_period(life, now, anchor_day=today(now).day, now=now)
    cleared = replace(
        after, suspended_at=None, suspend_reason=None, data_kept_until=None, warned_at=None, holds_slot=True,
        auto_renew=True, cancel_requested_at=None,
    )  # fmt: skip
    return Turn(Step.RESUMED, cleared, charge=cleared.price)


def _in_period(life: Life, begins_at: datetime, *, anchor_day: int, now: datetime) -> Life:
    price = price_from(life, begins_at)
    ends_at = period_end(begins_at, life.interval, anchor_day=anchor_day)
    announced = life.next_price_from is not None and begins_at >= life.next_price_from
    return replace(
        life,
        status=ACTIVE,
        anchor_day=anchor_day,
        price=price,
        next_price=None if announced else life.next_price,
        next_price_from=None if announced else life.next_price_from,
        period_number=life.period_number + 1,
        period_started_at=begins_at,
        period_ends_at=ends_at,
        due_at=ends_at,
        remind_at=next_reminder(ends_at, now=now),
        grace_ends_at=None,
    )


def next_reminder(ends_at: datetime, *, now: datetime) -> datetime | None:
    """The next moment before `ends_at` at which the customer is reminded; None when all have passed."""
    coming = [ends_at - before for before in REMINDERS if ends_at - before > now]
    return min(coming, default=None)


def _suspended(life: Life, reason: SuspendReason, *, now: datetime, terms: Terms) -> Turn:
    kept_until = now + terms.data_kept
    after = replace(
        life, status=SUSPENDED, suspended_at=now, suspend_reason=reason, data_kept_until=kept_until, warned_at=None,
        grace_ends_at=None, remind_at=None, holds_slot=False, due_at=max(kept_until - terms.last_warning, now),
    )  # fmt: skip
    return Turn(Step.SUSPENDED, after)


def _toward_the_end(life: Life, *, now: datetime, terms: Terms) -> Turn:
    """Nobody's data goes without a warning that came in time, however late the run is."""
    assert life.data_kept_until is not None
    if life.warned_at is None:
        kept_until = max(life.data_kept_until, now + terms.last_warning)
        return Turn(Step.WARNED, replace(life, warned_at=now, data_kept_until=kept_until, due_at=kept_until))
    return ended(life, EndReason.NOT_RESUMED, now=now)


def ended(life: Life, reason: EndReason, *, now: datetime) -> Turn:
    """The end of it. A slot it holds stays held until the cluster confirms that nothing is left of its apps."""
    assert life.status not in ENDED, "it has ended"
    status = EXPIRED if reason is EndReason.NOT_RESUMED else CANCELLED
    after = replace(life, status=status, ended_at=now, end_reason=reason, due_at=None, remind_at=None,
                    grace_ends_at=None)  # fmt: skip
    return Turn(Step.ENDED, after)
