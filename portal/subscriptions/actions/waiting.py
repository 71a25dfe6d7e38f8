"""Waiting for a slot of a plan that is sold out: joining its queue, being served in order, leaving it.

A slot that comes free is offered by a job (`jobs.waitlist.offer_next`), one entry per transaction; until then the queue
itself keeps passers-by from it (`slots.take`). Locks: customer, entry, plan, wallet.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.catalog import actions as catalog
from portal.catalog.errors import PlanNotSold, QuotaExceeded
from portal.catalog.models import Plan
from portal.core import outbox, switches
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.notices import actions as notices
from portal.subscriptions import queues, rules
from portal.subscriptions.actions import slots
from portal.subscriptions.actions.quoting import leads_up
from portal.subscriptions.actions.subscribing import Purchase, live_subscription, sold_plan, subscribe
from portal.subscriptions.errors import (
    DuplicateSubscription,
    NothingToOffer,
    PriceChanged,
    SlotIsFree,
    WaitlistEntryNotFound,
)
from portal.subscriptions.models import (
    IN_LINE,
    IntentStatus,
    Subscription,
    SubscriptionStatus,
    WaitlistEntry,
    WaitlistStatus,
)
from portal.subscriptions.rules import Serving
from portal.subscriptions.rules.life import Step, life_of, may_resume_by_itself
from portal.wallet.errors import InsufficientCredit
from portal.wallet.ledger import lock_wallet

FINAL_REFUSALS = (PlanNotSold, DuplicateSubscription, PriceChanged)


def join(
    session: Session,
    customer_id: UUID,
    plan_id: UUID,
    *,
    interval: str,
    automatic: bool,
    agreed_total: Money,
    now: datetime,
) -> WaitlistEntry:
    """Puts the customer at the end of a sold-out plan's queue. With `automatic` the `agreed_total` is set aside, and a
    free slot subscribes them without asking. Who waits for a step up from what they have is always asked.

    Joined again they keep their place, and only what happens at their turn changes. Raises `PlanNotSold`,
    `DuplicateSubscription`, `PriceChanged`, `SlotIsFree`, `InsufficientCredit`.
    """
    _lock_customer(session, customer_id)
    plan = sold_plan(session, plan_id)
    price = plan.price(interval)
    if price is None:
        raise PlanNotSold
    live = live_subscription(session, customer_id, plan.service_id)
    if live is not None and (automatic or not leads_up(session, live, plan, interval)):
        raise DuplicateSubscription(live.id)
    if live is not None and live.plan_id == plan.id:
        raise SlotIsFree  # the year instead of the month keeps the slot it has
    if price + Money(plan.setup_fee, price.currency) != agreed_total:
        raise PriceChanged
    entry = _open_entry(session, customer_id, plan_id)
    if entry is None:
        entry = _stand_in_line(session, customer_id, plan, interval, now=now)
    if entry.status == WaitlistStatus.WAITING:
        _agree(session, entry, interval, automatic, agreed_total, now=now)
    return entry


def _stand_in_line(session: Session, customer_id: UUID, plan: Plan, interval: str, *, now: datetime) -> WaitlistEntry:
    ahead = queues.count_ahead(session, customer_id, plan.id)
    if rules.slots_for_sale(plan.slots_available, ahead=ahead):
        raise SlotIsFree
    return _enter(session, customer_id, plan.id, interval, now=now)


def _enter(
    session: Session, customer_id: UUID, plan_id: UUID, interval: str, *, now: datetime, resumes_id: UUID | None = None
) -> WaitlistEntry:
    entry = WaitlistEntry(
        id=new_id(), customer_id=customer_id, plan_id=plan_id, interval=interval, status=WaitlistStatus.WAITING,
        resumes_id=resumes_id, automatic=False, held=0, joined_at=now,
    )  # fmt: skip
    session.add(entry)
    session.flush()
    # A slot may have come free since we looked, when nobody waited yet: looked for once more, after the commit.
    outbox.enqueue(session, "waitlist.offer_next", queue="urgent", plan_id=plan_id)
    return entry


def _agree(
    session: Session, entry: WaitlistEntry, interval: str, automatic: bool, total: Money, *, now: datetime
) -> None:
    """What was agreed for their turn; a repeat moves no money."""
    agreed = interval, automatic, total.amount
    if (entry.interval, entry.automatic, entry.agreed_total) == agreed:
        return
    slots.give_back(session, entry, now=now)
    entry.interval, entry.automatic, entry.agreed_total = agreed
    if automatic:
        slots.set_aside(session, entry, total, now=now)


def join_to_resume(session: Session, subscription: Subscription, *, now: datetime) -> WaitlistEntry:
    """A suspended subscription that found no slot waits for one, before all that do not resume. A repeat changes
    nothing. The caller holds the subscription."""
    entry = _open_entry(session, subscription.customer_id, subscription.plan_id)
    if entry is not None:
        return entry
    entry = _enter(
        session, subscription.customer_id, subscription.plan_id, subscription.interval, now=now,
        resumes_id=subscription.id,
    )  # fmt: skip
    entry.agreed_total = subscription.price
    _tell(session, entry, "waitlist_to_resume", now=now)
    return entry


def leave(session: Session, entry_id: UUID, customer_id: UUID, *, now: datetime) -> WaitlistEntry:
    """Gives up a place in a queue, or a slot that is offered: it goes to the next in line. A repeat changes nothing.

    Raises `WaitlistEntryNotFound` for a stranger.
    """
    _lock_customer(session, customer_id)
    entry = session.get(WaitlistEntry, entry_id, with_for_update=ROW_LOCK, populate_existing=True)
    if entry is None or entry.customer_id != customer_id:
        raise WaitlistEntryNotFound
    if entry.open:
        _end(session, entry, WaitlistStatus.LEFT, now=now)
    return entry


def remove(session: Session, entry_id: UUID, *, reason: str, actor: Actor, now: datetime) -> WaitlistEntry:
    """An operator takes somebody out of a queue, or an offer back, and the customer is told why. What was set aside
    comes back, a slot that was held goes to the next in line. A repeat changes nothing. Raises `WaitlistEntryNotFound`.
    """
    customer_id = session.scalar(select(WaitlistEntry.customer_id).where(WaitlistEntry.id == entry_id))
    if customer_id is None:
        raise WaitlistEntryNotFound
    _lock_customer(session, customer_id)
    entry = session.get_one(WaitlistEntry, entry_id, with_for_update=ROW_LOCK, populate_existing=True)
    if not entry.open:
        return entry
    before, amount = entry.status, entry.held
    _end(session, entry, WaitlistStatus.LEFT, now=now)
    entry.failure_code = "REMOVED"
    _tell(session, entry, "waitlist_removed", {"why": reason, "amount": amount}, now=now)
    audit.changed(
        session, actor, "waitlist.removed", subject_kind="waitlist_entry", subject_id=entry_id, now=now,
        before={"status": before}, after={"status": entry.status}, reason=reason,
    )  # fmt: skip
    return entry


def offer_now(session: Session, plan_id: UUID, *, actor: Actor, now: datetime) -> WaitlistEntry:
    """What the job does by itself within minutes, at an operator's word: deals with the first in line, in its order.

    Raises `NothingToOffer` when nobody waits or no slot is free, `HeldBack` while launches are held back.
    """
    entry = offer_next(session, plan_id, now=now)
    if entry is None:
        raise NothingToOffer
    audit.changed(
        session, actor, "waitlist.offered", subject_kind="waitlist_entry", subject_id=entry.id, now=now,
        after={"status": entry.status},
    )  # fmt: skip
    return entry


def stop_waiting(session: Session, customer_id: UUID, *, now: datetime) -> None:
    """Ends whatever a customer waits for, queues and launches: who has left buys nothing with money that comes late.

    Slots that were held go to others, credit that was set aside comes back.
    """
    _lock_customer(session, customer_id)
    waits = slots.of_customer(session, customer_id)
    for plan_id in sorted(one.plan_id for one in waits.holding):
        catalog.free_slot(session, plan_id)
    for intent in waits.intents:
        slots.end_intent(intent, IntentStatus.CANCELLED, now=now)
    for entry in waits.entries:
        slots.end_entry(session, entry, WaitlistStatus.LEFT, now=now)


def offer_next(session: Session, plan_id: UUID, *, now: datetime) -> WaitlistEntry | None:
    """Deals with the first in line of a plan: subscribes, resumes, offers the free slot for a limited time, or takes
    out of the queue who can no longer be served, and tells them.

    Returns whom it looked at, for the caller to look again; None when nobody waits or no slot is free. Raises
    `Unavailable` while the operator holds launches back: the queue stands still meanwhile.
    """
    entry = queues.first_in_line(session, plan_id)
    if entry is None:
        return None
    _lock_customer(session, entry.customer_id)
    session.refresh(entry, with_for_update=ROW_LOCK)
    if entry.status != WaitlistStatus.WAITING:
        return entry
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = sold_plan(session, plan_id, still_sold=False)
    by_itself = entry.automatic or entry.resumes_id is not None
    serving = rules.serving(sold=_is_sold(entry, plan), wanted=_is_wanted(session, entry, plan), by_itself=by_itself)
    if serving is Serving.LEAVES:
        _take_out(session, entry, DuplicateSubscription.code if _is_sold(entry, plan) else PlanNotSold.code, now=now)
        return entry
    if not rules.slots_for_sale(plan.slots_available, ahead=0):
        return None
    if serving is Serving.BY_ITSELF and _serve(session, entry, now=now):
        return entry
    return entry if _offer(session, entry, now=now) else None


def _is_sold(entry: WaitlistEntry, plan: Plan) -> bool:
    """Who resumes keeps an app that is no longer sold to newcomers."""
    return entry.resumes_id is not None or (plan.active and plan.service.active)


def _is_wanted(session: Session, entry: WaitlistEntry, plan: Plan) -> bool:
    """A newcomer has no subscription to the service meanwhile, or one that this plan is a step up from; who resumes
    is still suspended."""
    live = live_subscription(session, entry.customer_id, plan.service_id)
    if entry.resumes_id is None:
        return live is None or leads_up(session, live, plan, entry.interval)
    return live is not None and live.id == entry.resumes_id and live.status == SubscriptionStatus.SUSPENDED


def _serve(session: Session, entry: WaitlistEntry, *, now: datetime) -> bool:
    """Subscribes as it was agreed; True when the entry is dealt with, False when it is to be offered the slot."""
    if entry.resumes_id is not None:
        return _resume(session, entry, entry.resumes_id, now=now)
    purchase = Purchase(entry.plan_id, entry.interval, Money(entry.agreed_total), key=f"waitlist:{entry.id}")
    try:
        with session.begin_nested():
            subscription = subscribe(session, entry.customer_id, purchase, now=now)
    except (QuotaExceeded, InsufficientCredit):  # the slot went; or a debt took what was set aside
        return False
    except FINAL_REFUSALS as refusal:
        _take_out(session, entry, refusal.code, now=now)
        return True
    amount = {"amount": entry.agreed_total, "subscription_id": str(subscription.id)}
    _tell(session, entry, "waitlist_served", amount, now=now)
    return True


def _resume(session: Session, entry: WaitlistEntry, subscription_id: UUID, *, now: datetime) -> bool:
    """Brings a suspended app back that waited for nothing but a slot and credit; False when it is to be asked for."""
    from portal.subscriptions.actions import renewing  # which has who finds no slot join the queue

    if not may_resume_by_itself(life_of(session.get_one(Subscription, subscription_id))):
        return False
    return renewing.pay_owed(session, subscription_id, now=now) is Step.RESUMED


def _offer(session: Session, entry: WaitlistEntry, *, now: datetime) -> bool:
    """Holds a slot for the entry for a limited time; False when none is left."""
    try:
        catalog.take_slot(session, entry.plan_id, still_sold=entry.resumes_id is None)
    except QuotaExceeded:
        return False
    slots.give_back(session, entry, now=now)
    entry.automatic = False
    entry.status, entry.offered_at = WaitlistStatus.OFFERED, now
    entry.offer_ends_at = now + timedelta(hours=settings().waitlist_offer_hours)
    code = "waitlist_offer_to_resume" if entry.resumes_id else "waitlist_offer"
    _tell(session, entry, code, {"ends_at": entry.offer_ends_at.isoformat()}, now=now)
    return True


def expire_offer(session: Session, entry_id: UUID, *, now: datetime) -> bool:
    """Takes an offer back whose time is up: its slot goes to the next in line. False when it was taken or left."""
    customer_id = session.scalars(select(WaitlistEntry.customer_id).where(WaitlistEntry.id == entry_id)).one()
    _lock_customer(session, customer_id)
    entry = session.get_one(WaitlistEntry, entry_id, with_for_update=ROW_LOCK, populate_existing=True)
    if entry.offer_ends_at is None or not entry.holds_slot or entry.offer_ends_at > now:
        return False
    _end(session, entry, WaitlistStatus.MISSED, now=now)
    _tell(session, entry, "waitlist_missed", now=now)
    return True


def pay_debt_from_holds(session: Session, customer_id: UUID, *, now: datetime) -> int:
    """Gives back what a debtor has set aside, the newest first, until the debt is paid by it; returns how many.

    They keep their places, and are asked at their turn. A repeat finds no debt, or nothing set aside.
    """
    _lock_customer(session, customer_id)
    given = 0
    for entry in reversed(slots.of_customer(session, customer_id).entries):
        if not entry.held or not lock_wallet(session, customer_id, now=now).debt:
            continue
        amount = entry.held
        slots.give_back(session, entry, now=now)
        entry.automatic = False
        _tell(session, entry, "waitlist_hold_used", {"amount": amount}, again=f":{now.isoformat()}", now=now)
        given += 1
    return given


def _take_out(session: Session, entry: WaitlistEntry, reason: str, *, now: datetime) -> None:
    """Ends an entry that can no longer be served, and says why. One that resumes has its own story to tell."""
    amount = entry.held
    slots.end_entry(session, entry, WaitlistStatus.LEFT, now=now, reason=reason)
    if entry.resumes_id is None or reason == PlanNotSold.code:
        _tell(session, entry, "waitlist_left", {"reason": reason, "amount": amount}, now=now)


def _end(session: Session, entry: WaitlistEntry, status: WaitlistStatus, *, now: datetime) -> None:
    """Ends an entry, its slot first: plans are locked before wallets."""
    if entry.holds_slot:
        catalog.free_slot(session, entry.plan_id)
    slots.end_entry(session, entry, status, now=now)


def _lock_customer(session: Session, customer_id: UUID) -> None:
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)


def _open_entry(session: Session, customer_id: UUID, plan_id: UUID) -> WaitlistEntry | None:
    statement = select(WaitlistEntry).where(
        WaitlistEntry.customer_id == customer_id,
        WaitlistEntry.plan_id == plan_id,
        WaitlistEntry.status.in_(IN_LINE),
    )
    return session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def _tell(
    session: Session,
    entry: WaitlistEntry,
    code: str,
    more: dict[str, Any] | None = None,
    *,
    now: datetime,
    again: str = "",
) -> None:
    """Once per entry and code; `again` tells apart what can happen to it more than once."""
    parameters = {**slots.names(session, entry.plan_id), "entry_id": str(entry.id), **(more or {})}
    key = f"{code}:{entry.id}{again}"
    notices.tell(session, customer_id=entry.customer_id, code=code, parameters=parameters, unique_key=key, now=now)
