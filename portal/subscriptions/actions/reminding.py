"""What customers are told of their subscriptions' course: before a renewal, after it, and when credit is short."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from config import settings
from portal.core.clock import today
from portal.core.db import ROW_LOCK
from portal.core.money import rupiah
from portal.core.rows import update_all
from portal.notices import actions as notices
from portal.notices.actions import Telling
from portal.subscriptions.models import HOLDS_SLOT, EndReason, Subscription, SubscriptionStatus, SuspendReason
from portal.subscriptions.rules import Running, Runway, runway, top_up_for
from portal.subscriptions.rules.life import Life, Step, Turn, amount_due, life_of, next_reminder
from portal.subscriptions.terms import terms
from portal.wallet.models import AccountKind, LedgerAccount

# --- what a step tells ------------------------------------------------------------------------------------

SUSPENDED_CODES = {
    SuspendReason.UNPAID: "suspended_unpaid",
    SuspendReason.NOT_RENEWED: "suspended_not_renewed",
    SuspendReason.TRIAL_ENDED: "suspended_trial_ended",
}


def told_of(subscription: Subscription, turn: Turn, *, amount: int, now: datetime) -> Telling | None:
    """What is told of a step: once per step, a day's reminder once a day. `amount` is what was to be paid.

    A renewal is told in the portal alone, for its invoice is the mail; that of a free app is no news.
    """
    if turn.step in PAID_CODES and not turn.charge:
        return None
    return TELLINGS[turn.step](subscription, turn, amount, now)


def _paid(subscription: Subscription, turn: Turn, amount: int, now: datetime) -> Telling:
    code = PAID_CODES[turn.step]
    facts = {"amount": amount, "ends_at": turn.life.period_ends_at.isoformat()}
    return _telling(subscription, code, facts, key=str(turn.life.period_number), mail=False)


def _short(subscription: Subscription, turn: Turn, amount: int, now: datetime) -> Telling:
    assert turn.life.grace_ends_at is not None
    if turn.step is Step.STILL_DUE:
        return still_due(subscription, amount, turn.missing, until=turn.life.grace_ends_at, now=now)
    facts = _shortage(amount, turn.missing) | {"until_at": turn.life.grace_ends_at.isoformat()}
    return _telling(subscription, "renewal_short", facts, key=f"{turn.life.period_number}:{today(now)}")


def still_due(subscription: Subscription, amount: int, missing: int, *, until: datetime, now: datetime) -> Telling:
    """The day's reminder in grace, from the retry or from the morning's round: whichever comes first is told."""
    facts = _shortage(amount, missing) | {"until_at": until.isoformat()}
    key = f"{subscription.period_number}:{today(now)}"
    return _telling(subscription, "renewal_still_short", facts, key=key)


def _suspended(subscription: Subscription, turn: Turn, amount: int, now: datetime) -> Telling:
    assert turn.life.data_kept_until is not None
    code = SUSPENDED_CODES[SuspendReason(str(turn.life.suspend_reason))]
    facts = _shortage(amount, turn.missing) | {"kept_until_at": turn.life.data_kept_until.isoformat()}
    return _telling(subscription, code, facts, key=now.isoformat())


def _warned(subscription: Subscription, turn: Turn, amount: int, now: datetime) -> Telling:
    assert turn.life.data_kept_until is not None
    facts = {"kept_until_at": turn.life.data_kept_until.isoformat()}
    return _telling(subscription, "data_goes_soon", facts, key=now.isoformat())


def _ended(subscription: Subscription, turn: Turn, amount: int, now: datetime) -> Telling:
    expired = turn.life.end_reason == EndReason.NOT_RESUMED
    return _telling(subscription, "subscription_expired" if expired else "subscription_ended", {}, key="end")


PAID_CODES = {Step.RENEWED: "renewed", Step.CONVERTED: "trial_converted"}
TELLINGS: dict[Step, Callable[[Subscription, Turn, int, datetime], Telling]] = {
    Step.RENEWED: _paid,
    Step.CONVERTED: _paid,
    Step.FELL_DUE: _short,
    Step.STILL_DUE: _short,
    Step.SUSPENDED: _suspended,
    Step.WARNED: _warned,
    Step.ENDED: _ended,
}
BY_TIME = (Subscription.remind_at, Subscription.id)


def still_short(subscription: Subscription, amount: int, missing: int, *, credit: int) -> Telling:
    """Credit arrived, but less than is owed: told once per credit, which `credit` numbers."""
    until = subscription.grace_ends_at or subscription.data_kept_until
    facts = _shortage(amount, missing) | {"until_at": until.isoformat() if until else None}
    return _telling(subscription, "credit_still_short", facts, key=str(credit))


# --- before a renewal -------------------------------------------------------------------------------------


TRIED_AGAIN_AFTER = timedelta(hours=1)


def run_due(session: Session, *, now: datetime, limit: int) -> list[str]:
    """Reminds of up to `limit` renewals, trials' ends and cancellations that come; returns the codes of what was told.

    Empty: nothing is due that nobody else holds. Who missed a reminder gets the next one alone.
    """
    return _remind_all(session, _claim(session, now=now, limit=limit), now=now)


def run_alone(session: Session, subscription_id: UUID, *, now: datetime) -> str | None:
    """The same for one subscription; None when it is not due or others hold it."""
    due = _claim(session, now=now, limit=1, only=subscription_id)
    return next(iter(_remind_all(session, due, now=now)), None)


def due_ids(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """What `run_due` would claim first."""
    statement = select(Subscription.id).where(Subscription.remind_at <= now).order_by(*BY_TIME)
    return list(session.scalars(statement.limit(limit)))


def put_off(session: Session, subscription_id: UUID, *, now: datetime) -> bool:
    """A reminder failed by our own fault: it is tried again in an hour. False when none is due."""
    due = _claim(session, now=now, limit=1, only=subscription_id)
    for subscription in due:
        subscription.remind_at = now + TRIED_AGAIN_AFTER
    return bool(due)


def _claim(session: Session, *, now: datetime, limit: int, only: UUID | None = None) -> Sequence[Subscription]:
    wanted = (Subscription.remind_at <= now, Subscription.id == only) if only else (Subscription.remind_at <= now,)
    statement = (
        _with_plan()
        .where(*wanted)
        .order_by(*BY_TIME)
        .limit(limit)
        .with_for_update(of=Subscription, skip_locked=True, **ROW_LOCK)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).all()


def _with_plan() -> Select[Subscription]:
    return select(Subscription).options(joinedload(Subscription.plan), joinedload(Subscription.service))


def _remind_all(session: Session, due: Sequence[Subscription], *, now: datetime) -> list[str]:
    tellings = _reminders(session, [one for one in due if one.period_ends_at > now], now=now)
    notices.tell_all(session, tellings, now=now)
    rows = [{"id": one.id, "remind_at": next_reminder(one.period_ends_at, now=now)} for one in due]
    update_all(session, Subscription, rows)
    silent = len(due) - len(tellings)  # free apps, and reminders that come too late to be of use
    return [telling.code for telling in tellings] + ["nothing_to_say"] * silent


def _reminders(session: Session, coming: Sequence[Subscription], *, now: datetime) -> list[Telling]:
    reaches = _runways(session, {one.customer_id for one in coming}, now=now)
    found = []
    for subscription in coming:
        life = life_of(subscription)
        amount = amount_due(life, setup_fee=subscription.plan.setup_fee)
        if amount or life.cancel_requested_at is not None:
            found.append(_reminder(subscription, life, amount, reaches.get(subscription.customer_id)))
    return found


def _reminder(subscription: Subscription, life: Life, amount: int, reach: Runway | None) -> Telling:
    facts: dict[str, Any] = {"price": amount, "ends_at": life.period_ends_at.isoformat()}
    key = f"{life.period_ends_at.isoformat()}:{subscription.remind_at:%Y%m%d}"
    if life.cancel_requested_at is not None:
        return _telling(subscription, "cancellation_soon", facts, key=key)
    if not life.auto_renew:
        return _telling(subscription, "period_ends_soon", facts, key=key)
    trial = life.status == SubscriptionStatus.TRIALING
    if reach is None or reach.until is None or reach.until > life.period_ends_at:
        return _telling(subscription, "trial_ends_soon" if trial else "renewal_soon", facts, key=key)
    facts |= _shortage(amount, reach.missing.amount) | {"until_at": reach.until.isoformat()}
    return _telling(subscription, "trial_ends_soon_short" if trial else "renewal_soon_short", facts, key=key)


def _runways(session: Session, customer_ids: set[UUID], *, now: datetime) -> dict[UUID, Runway | None]:
    """The forecast of each customer: the very rules of the renewals to come, so that a reminder cannot disagree."""
    theirs = Subscription.customer_id.in_(customer_ids)
    statement = _with_plan().where(theirs, Subscription.status.in_(HOLDS_SLOT))
    running: defaultdict[UUID, list[Running]] = defaultdict(list)
    for one in session.scalars(statement):
        running[one.customer_id].append(
            Running(one.id, one.service.name, life_of(one), one.renewal_order, one.plan.setup_fee)
        )
    credit = _credit(session, customer_ids)
    return {
        customer_id: runway(rupiah(credit.get(customer_id, 0)), apps, now=now, terms=terms())
        for customer_id, apps in running.items()
    }


def _credit(session: Session, customer_ids: set[UUID]) -> dict[UUID, int]:
    statement = select(LedgerAccount.customer_id, LedgerAccount.balance).where(
        LedgerAccount.customer_id.in_(customer_ids), LedgerAccount.kind == AccountKind.AVAILABLE
    )
    return {customer_id: balance for customer_id, balance in session.execute(statement) if customer_id}


def _shortage(amount: int, missing: int) -> dict[str, Any]:
    """The price, what is missing, and the top-up that brings it."""
    top_up = top_up_for(rupiah(missing), smallest=rupiah(settings().top_up_min))
    return {"price": amount, "missing": missing, "amount": top_up.amount}


def _telling(subscription: Subscription, code: str, facts: dict[str, Any], *, key: str, mail: bool = True) -> Telling:
    words = {
        "app": subscription.service.name,
        "plan": subscription.plan.name,
        "subscription_id": str(subscription.id),
    }
    unique_key = f"{code}:{subscription.id}:{key}"
    return Telling(subscription.customer_id, code, {**words, **facts}, unique_key, mail=mail)
