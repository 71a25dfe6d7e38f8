"""Renewals: what time does to subscriptions, in batches, and what a credit that arrives settles at once.

Every decision is `rules.life`'s. Locks are taken in the house's one order: customers, subscriptions, plans, wallets,
apps. A customer is claimed whole, with everything of theirs that is due: so one credit is spent in their own order,
and two workers never meet in one wallet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from portal.accounts.models import Customer
from portal.catalog.errors import QuotaExceeded
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.rows import among, insert_all, update_all
from portal.notices import actions as notices
from portal.subscriptions.actions import resuming, slots, suspending
from portal.subscriptions.actions.charging import Period, charge_all
from portal.subscriptions.actions.reminding import still_short, told_of
from portal.subscriptions.models import (
    UNDER_WAY,
    AttemptOutcome,
    EndReason,
    PlanChange,
    RenewalAttempt,
    Subscription,
    SubscriptionStatus,
)
from portal.subscriptions.rules.life import (
    CHARGE_KINDS,
    LIFE_COLUMNS,
    Life,
    Step,
    Turn,
    advance,
    amount_due,
    life_of,
    may_resume_by_itself,
    try_to_pay,
)
from portal.subscriptions.rules.runway import order_of
from portal.subscriptions.terms import terms
from portal.wallet.ledger import lock_available

TRIED_AGAIN_AFTER = timedelta(hours=1)
NOTHING = -1  # less than even what is free costs
FREES_A_SLOT = (Step.SUSPENDED, Step.ENDED)


@dataclass(frozen=True)
class Move:
    """One step of a locked subscription: what it was, what it becomes, and what was to be paid."""

    subscription: Subscription  # with plan and service
    before: Life
    turn: Turn
    amount: int
    setup_fee: int = 0


def run_due(session: Session, *, now: datetime, limit: int) -> list[Step]:
    """Takes one step of what is due, the longest due first, for up to `limit` subscriptions and whatever else their
    customers have due; returns the steps. Empty: nothing is due that nobody else holds.

    A subscription several periods behind is due again at once: each call charges it one period.
    """
    due = _claim(session, now=now, limit=limit)
    return _advance_all(session, due, now=now)


def run_alone(session: Session, subscription_id: UUID, *, now: datetime) -> Step | None:
    """The same for one subscription, in a transaction of its own; None when it is not due or others hold it."""
    due = _claim(session, now=now, limit=1, only=subscription_id)
    return next(iter(_advance_all(session, due, now=now)), None)


def due_ids(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """What `run_due` would claim first."""
    statement = select(Subscription.id).where(_is_due(now)).order_by(Subscription.due_at, Subscription.id)
    return list(session.scalars(statement.limit(limit)))


def put_off(session: Session, subscription_id: UUID, *, now: datetime) -> bool:
    """A step failed by our own fault: notes the attempt, and tries again in an hour. False when it is not due."""
    subscription = next(iter(_claim(session, now=now, limit=1, only=subscription_id)), None)
    if subscription is None:
        return False
    amount = amount_due(life_of(subscription), setup_fee=_setup_fee(subscription))
    _note_attempt(session, subscription, AttemptOutcome.FAILED, amount, 0, now=now)
    subscription.due_at = now + TRIED_AGAIN_AFTER
    return True


def _claim(session: Session, *, now: datetime, limit: int, only: UUID | None = None) -> list[Subscription]:
    """What is due and nobody holds, locked, with plan and service."""
    wanted = (_is_due(now), Subscription.id == only) if only else (_is_due(now),)
    customers = (
        select(Customer.id)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(*wanted)
        .order_by(Subscription.due_at, Subscription.id)
        .limit(limit)
        .with_for_update(of=Customer, skip_locked=True, **ROW_LOCK)
    )
    claimed = set(session.scalars(customers))
    if not claimed:
        return []
    statement = (
        _with_plan()
        .where(among(Subscription.customer_id, claimed), *wanted)
        .order_by(Subscription.id)
        .with_for_update(of=Subscription, skip_locked=True, **ROW_LOCK)
    )
    return list(session.scalars(statement))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Time waits for a change of plan under way: its end says what the next period costs."""
    changing = exists().where(PlanChange.subscription_id == Subscription.id, PlanChange.status.in_(UNDER_WAY))
    return (Subscription.due_at <= now) & ~changing


def _with_plan() -> Select[Subscription]:
    """Few plans for many subscriptions: each is read once, not once per row."""
    options = selectinload(Subscription.plan), selectinload(Subscription.service)
    return select(Subscription).options(*options).execution_options(populate_existing=True)


def _advance_all(session: Session, due: Sequence[Subscription], *, now: datetime) -> list[Step]:
    if not due:
        return []
    suspending.lock_plans(session, _plans_let_go(due, now=now))
    accounts = lock_available(session, {one.customer_id for one in due}, now=now)
    left = {customer_id: account.balance for customer_id, account in accounts.items()}
    moves = []
    for subscription in sorted(due, key=order_of):
        move = _move(subscription, left[subscription.customer_id], now=now)
        left[subscription.customer_id] -= move.turn.charge
        moves.append(move)
    _carry_out(session, moves, now=now)
    return [move.turn.step for move in moves]


def _plans_let_go(due: Sequence[Subscription], *, now: datetime) -> set[UUID]:
    """Plans a slot of which is given back if nothing can be paid."""
    return {one.plan_id for one in due if _move(one, NOTHING, now=now).turn.step in FREES_A_SLOT}


def _move(subscription: Subscription, balance: int, *, now: datetime) -> Move:
    before, setup_fee = life_of(subscription), _setup_fee(subscription)
    turn = advance(before, balance=balance, now=now, terms=terms(), setup_fee=setup_fee)
    return Move(subscription, before, turn, amount_due(before, setup_fee=setup_fee), setup_fee)


def _setup_fee(subscription: Subscription) -> int:
    """The setup fee belongs to the first period that is paid."""
    return subscription.plan.setup_fee if subscription.status == SubscriptionStatus.TRIALING else 0


def _carry_out(session: Session, moves: Sequence[Move], *, now: datetime) -> None:
    """Writes every move: money, charges and invoices, attempts, columns, slots and apps, and what is told."""
    charge_all(session, [_period(move) for move in moves if move.turn.step in CHARGE_KINDS], now=now)
    insert_all(session, RenewalAttempt, [row for move in moves if (row := _attempt_of(move, now))])
    _write_lives(session, [move for move in moves if move.turn.step not in FREES_A_SLOT])
    for move in moves:
        if move.turn.step is Step.SUSPENDED:
            suspending.suspend(session, move.subscription, move.turn, now=now)
        elif move.turn.step is Step.ENDED:
            suspending.end(session, move.subscription, EndReason(str(move.turn.life.end_reason)), now=now)
    tellings = [told for move in moves if (told := told_of(move.subscription, move.turn, amount=move.amount, now=now))]
    notices.tell_all(session, tellings, now=now)


def _period(move: Move) -> Period:
    subscription, after = move.subscription, move.turn.life
    return Period(
        subscription_id=subscription.id,
        customer_id=subscription.customer_id,
        kind=CHARGE_KINDS[move.turn.step],
        number=after.period_number,
        started_at=after.period_started_at,
        ends_at=after.period_ends_at,
        interval=after.interval,
        app=subscription.service.name,
        plan=subscription.plan.name,
        amount=move.turn.charge,
        setup_fee=move.setup_fee,
    )


def _attempt_of(move: Move, now: datetime) -> dict[str, Any] | None:
    """The row of a try to charge; None where nothing was tried."""
    paid = move.turn.step in CHARGE_KINDS
    if not paid and not move.turn.missing:
        return None
    outcome = AttemptOutcome.PAID if paid else AttemptOutcome.SHORT
    number = move.before.period_number + 1
    return _attempt_row(move.subscription.id, number, outcome, move.amount, move.turn.missing, now)


def _note_attempt(
    session: Session, subscription: Subscription, outcome: AttemptOutcome, amount: int, missing: int, *, now: datetime
) -> None:
    number = subscription.period_number + 1
    insert_all(session, RenewalAttempt, [_attempt_row(subscription.id, number, outcome, amount, missing, now)])


def _attempt_row(
    subscription_id: UUID, number: int, outcome: AttemptOutcome, amount: int, missing: int, now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(), "subscription_id": subscription_id, "period_number": number, "outcome": outcome,
        "amount": amount, "missing": missing, "attempted_at": now,
    }  # fmt: skip


def _write_lives(session: Session, moves: Sequence[Move]) -> None:
    """The columns that changed for any of them, in one statement."""
    changed = [
        name for name in LIFE_COLUMNS if any(getattr(m.before, name) != getattr(m.turn.life, name) for m in moves)
    ]
    rows = [{"id": move.subscription.id, **{name: getattr(move.turn.life, name) for name in changed}} for move in moves]
    update_all(session, Subscription, rows)
    for move in moves:
        for name in changed:
            set_committed_value(move.subscription, name, getattr(move.turn.life, name))


# --- credit that arrived --------------------------------------------------------------------------------


def use_credit(session: Session, customer_id: UUID, *, now: datetime) -> list[Step]:
    """Pays what a customer owes, in their order, each only if it can be paid: overdue periods, and the way back of
    what was suspended for want of credit. Returns the steps taken; with nothing owed it changes nothing.
    """
    steps = [pay_owed(session, subscription_id, now=now) for subscription_id in owing(session, customer_id)]
    return [step for step in steps if step]


def owing(session: Session, customer_id: UUID) -> list[UUID]:
    """What waits for a customer's credit: the customer's own order first, then the oldest debt."""
    waiting = SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED
    statement = select(Subscription).where(Subscription.customer_id == customer_id, Subscription.status.in_(waiting))
    found = session.scalars(statement.execution_options(populate_existing=True))
    return [one.id for one in sorted(found, key=order_of) if _waits_for_credit(one)]


def _waits_for_credit(subscription: Subscription) -> bool:
    overdue = subscription.status == SubscriptionStatus.PAST_DUE
    goes_on = subscription.auto_renew and subscription.cancel_requested_at is None
    return (overdue and goes_on) or may_resume_by_itself(subscription)


def pay_owed(session: Session, subscription_id: UUID, *, now: datetime) -> Step | None:
    """Pays one that `owing` named, from what its customer can spend now; None, and an attempt, when that does not do.

    What is missing is told once per credit. One that finds no slot waits for it, before all who are new.
    """
    customer_id = session.scalars(select(Subscription.customer_id).where(Subscription.id == subscription_id)).one()
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    statement = _with_plan().where(Subscription.id == subscription_id).with_for_update(of=Subscription, **ROW_LOCK)
    subscription = session.scalars(statement).one()
    if not _waits_for_credit(subscription) or _changes_plan(session, subscription):
        return None
    suspending.lock_plans(session, _plans_at_stake(session, subscription))
    account = lock_available(session, [customer_id], now=now)[customer_id]
    before = life_of(subscription)
    amount = _owed(subscription, before, now=now)
    turn = try_to_pay(before, balance=account.balance, now=now)
    if turn is None:
        _note_shortage(session, subscription, amount, account.balance, credit=account.sequence, now=now)
        return None
    if turn.step is Step.RESUMED:
        return _come_back(session, subscription, amount, now=now)
    _carry_out(session, [Move(subscription, before, turn, amount)], now=now)
    return turn.step


def _plans_at_stake(session: Session, subscription: Subscription) -> set[UUID]:
    """Its own, and those of the same app a slot of which is held for its customer: that is given back with its way
    back."""
    waits = slots.of_service(session, subscription.customer_id, subscription.service_id)
    return {subscription.plan_id, *(one.plan_id for one in waits.holding)}


def _changes_plan(session: Session, subscription: Subscription) -> bool:
    statement = select(PlanChange.id).where(
        PlanChange.subscription_id == subscription.id, PlanChange.status.in_(UNDER_WAY)
    )
    return session.scalar(statement) is not None


def _owed(subscription: Subscription, life: Life, *, now: datetime) -> int:
    if life.status == SubscriptionStatus.SUSPENDED:
        return resuming.price_now(life, subscription.plan, now=now).amount
    return amount_due(life)


def _note_shortage(
    session: Session, subscription: Subscription, amount: int, balance: int, *, credit: int, now: datetime
) -> None:
    missing = amount - balance
    _note_attempt(session, subscription, AttemptOutcome.SHORT, amount, missing, now=now)
    notices.tell_all(session, [still_short(subscription, amount, missing, credit=credit)], now=now)


def _come_back(session: Session, subscription: Subscription, amount: int, *, now: datetime) -> Step | None:
    """Without a slot no money moves: the savepoint takes back whatever was begun."""
    try:
        with session.begin_nested():
            resuming.come_back(session, subscription, now=now)
    except QuotaExceeded:
        _wait_for_slot(session, subscription, amount, now=now)
        return None
    return Step.RESUMED


def _wait_for_slot(session: Session, subscription: Subscription, amount: int, *, now: datetime) -> None:
    from portal.subscriptions.actions import waiting

    session.refresh(subscription)  # as it was before the savepoint
    _note_attempt(session, subscription, AttemptOutcome.NO_SLOT, amount, 0, now=now)
    waiting.join_to_resume(session, subscription, now=now)
