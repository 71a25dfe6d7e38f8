"""Changing a plan: charged and reserved when confirmed, carried out by `jobs.plan_changes`, done or undone as a whole.

QUOTED, confirmed → RESIZING → DONE, or → ROLLING_BACK → ROLLED_BACK. The refund comes with the decision to go back,
not with its end: money never waits for a broken cluster. The new plan's slot goes back when the cluster is as before.

Locks are taken in the house's one order: customer, subscription (and its change), plan, wallet, instances ascending.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog import actions as catalog
from portal.catalog.models import Plan
from portal.core import outbox, switches
from portal.core.clock import today
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.actions import split_price
from portal.invoices.models import Series
from portal.notices import actions as notices
from portal.subscriptions.actions import pricing, slots
from portal.subscriptions.actions.quoting import UNTAKEN, quote, refuse_hurdles
from portal.subscriptions.actions.refunding import refund_charge
from portal.subscriptions.actions.subscribing import sold_plan
from portal.subscriptions.errors import PlanChangeNotFound, PriceChanged, QuoteExpired
from portal.subscriptions.models import ChargeKind, PlanChange, PlanChangeStatus, Subscription, SubscriptionCharge
from portal.subscriptions.rules import changes
from portal.subscriptions.rules.life import next_reminder
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference, lock_wallet
from portal.wallet.models import TransactionType

__all__ = ["begin_volumes", "confirm", "quote", "record_back", "record_done", "roll_back"]

RESIZING, ROLLING_BACK = PlanChangeStatus.RESIZING, PlanChangeStatus.ROLLING_BACK
DONE, ROLLED_BACK = PlanChangeStatus.DONE, PlanChangeStatus.ROLLED_BACK


def confirm(session: Session, change_id: UUID, customer_id: UUID, *, now: datetime) -> PlanChange:
    """Takes a quote: charges exactly its total, takes the new plan's slot and begins the work. Pressed again, it
    returns the same change.

    By the year instead of by the month needs neither slot nor cluster: it is done at once. Raises `QuoteExpired`,
    `PriceChanged`, `CannotChangePlan`, `QuotaExceeded` and `InsufficientCredit` with the exact shortfall.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription, change = _locked(session, change_id, customer_id=customer_id)
    if change.status not in UNTAKEN:
        return change
    refuse_hurdles(session, subscription, now=now)
    if changes.is_stale(change, subscription, now=now):
        raise QuoteExpired
    from_plan = sold_plan(session, change.from_plan_id, still_sold=False)
    to_plan = sold_plan(session, change.to_plan_id)
    if to_plan.price(change.to_interval) != Money(change.to_price, change.currency):
        raise PriceChanged
    if changes.needs_cluster(change):
        switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
        slots.take(session, customer_id, plan_id=to_plan.id, service_id=to_plan.service_id, now=now)
    charge = _charge(session, subscription, change, to_plan, now=now)
    _draft_invoice(session, change, charge, from_plan, to_plan, now=now)
    change.charge_id, change.confirmed_at = charge.id, now
    change.before = {"subscription": _figures(subscription), "apps": {}}
    if changes.needs_cluster(change):
        _begin(session, change, to_plan, now=now)
    else:
        _complete(session, subscription, change, now=now)
    return change


def begin_volumes(session: Session, change_id: UUID, *, now: datetime) -> bool:
    """Every app runs in its new size: the volumes' turn, which grow last because they never shrink. Once."""
    _, change = _locked(session, change_id)
    if change.status != RESIZING or change.volumes_at is not None:
        return False
    change.volumes_at = now
    wanted_gib = session.get_one(Plan, change.to_plan_id).storage_gib
    for app in instances.present(session, change.subscription_id):
        instances.want_volume(session, app.id, max(wanted_gib, app.storage_gib))
    return True


def record_done(session: Session, change_id: UUID, *, now: datetime) -> bool:
    """The cluster has it all: the subscription is on the new plan, the old one's slot is free, the customer told.

    False, and no change, unless it was being carried out.
    """
    subscription, change = _locked(session, change_id)
    if change.status != RESIZING:
        return False
    catalog.free_slot(session, change.from_plan_id)
    _complete(session, subscription, change, now=now)
    for app in instances.present(session, subscription.id):
        _record_growth(session, change, app, now=now)
        instances.forget_former_size(session, app.id)
    return True


def roll_back(session: Session, change_id: UUID, *, code: str, now: datetime) -> bool:
    """It could not be carried out: the money is given back in full, the apps go back, the customer is told. Once.

    `code` is a reason of `notices.wording`. False, and no change, unless it was being carried out.
    """
    subscription, change = _locked(session, change_id)
    if change.status != RESIZING:
        return False
    lock_wallet(session, subscription.customer_id, now=now)
    note_id = _refund(session, subscription, change, now=now)
    _move(change, ROLLING_BACK)
    change.failure_code = code
    for app in instances.present(session, subscription.id):
        _send_back(session, change, app, now=now)
    _tell_failed(session, subscription, change, note_id, now=now)
    return True


def record_back(session: Session, change_id: UUID, volumes_gib: Mapping[UUID, int], *, now: datetime) -> bool:
    """Nothing of the new plan's size runs any more: its slot goes back. Once.

    `volumes_gib` is how large the cluster shows each app's volume: one that had grown stays so, and is recorded.
    """
    subscription, change = _locked(session, change_id)
    if change.status != ROLLING_BACK:
        return False
    catalog.free_slot(session, change.to_plan_id)
    _move(change, ROLLED_BACK)
    change.ended_at = now
    for app in instances.present(session, subscription.id):
        _keep_grown(session, app, volumes_gib.get(app.id, app.storage_gib), now=now)
        instances.forget_former_size(session, app.id)
    return True


def _locked(session: Session, change_id: UUID, *, customer_id: UUID | None = None) -> tuple[Subscription, PlanChange]:
    """The change's subscription, locked, then the change itself; of that customer alone when one is named."""
    statement = select(PlanChange.subscription_id).where(PlanChange.id == change_id)
    own = statement.where(PlanChange.customer_id == customer_id) if customer_id else statement
    subscription_id = session.scalar(own)
    if subscription_id is None:
        raise PlanChangeNotFound
    locking: dict[str, Any] = {"with_for_update": ROW_LOCK, "populate_existing": True}
    subscription = session.get_one(Subscription, subscription_id, **locking)
    return subscription, session.get_one(PlanChange, change_id, **locking)


def _move(change: PlanChange, to: PlanChangeStatus) -> None:
    assert changes.can_move(change.status, to), f"{change.status} may not become {to}"
    change.status = to


def _charge(
    session: Session, subscription: Subscription, change: PlanChange, to_plan: Plan, *, now: datetime
) -> SubscriptionCharge:
    charge = SubscriptionCharge(
        id=new_id(),
        subscription_id=subscription.id,
        period_number=subscription.period_number,
        kind=ChargeKind.UPGRADE,
        amount=change.total,
        currency=change.currency,
        charged_at=now,
    )
    charge.entry_id = wallet.pay(
        session,
        subscription.customer_id,
        change.total_money,
        ppn=Money(split_price(change.total).ppn, change.currency),
        key=f"upgrade:{change.id}",
        about=Reference("subscription_charge", charge.id),
        line=Line(TransactionType.UPGRADE, "upgrade", _words(to_plan, change)),
        now=now,
    )
    session.add(charge)
    session.flush()
    return charge


def _draft_invoice(
    session: Session, change: PlanChange, charge: SubscriptionCharge, from_plan: Plan, to_plan: Plan, *, now: datetime
) -> None:
    """The new plan for what is left, minus the unused value of the old; PPN is of the total."""
    if not charge.amount:
        return
    days = {
        "from": today(max(now, change.period_started_at)).isoformat(),
        "to": today(change.period_ends_at).isoformat(),
    }
    lines = [DocumentLine("upgrade", _words(to_plan, change) | days, change.cost)]
    if change.unused_value:
        lines.append(DocumentLine("unused_value", _words(from_plan, change), -change.unused_value))
    invoices.draft(
        session,
        customer_id=change.customer_id,
        series=Series.INVOICE,
        reference_kind="subscription_charge",
        reference_id=charge.id,
        lines=lines,
        now=now,
    )


def _begin(session: Session, change: PlanChange, to_plan: Plan, *, now: datetime) -> None:
    _move(change, RESIZING)
    apps = instances.present(session, change.subscription_id)
    change.before = {**change.before, "apps": {str(app.id): _size(app) for app in apps}}
    for app in apps:
        size = {"cpu_millicores": to_plan.cpu_millicores, "memory_mib": to_plan.memory_mib}
        instances.resize(session, app.id, **size, code="resize_started", now=now)
    outbox.enqueue(session, "plan_changes.carry_out", change_id=change.id)


def _complete(session: Session, subscription: Subscription, change: PlanChange, *, now: datetime) -> None:
    """The subscription as it is with the new plan. A price announced for the old one is void; one that the new plan
    got since the quote was taken is announced."""
    _move(change, DONE)
    change.ended_at = now
    subscription.plan_id, subscription.price = change.to_plan_id, change.to_price
    subscription.next_price = subscription.next_price_from = None
    if change.to_interval != change.from_interval:
        subscription.interval, subscription.anchor_day = change.to_interval, today(change.period_started_at).day
        subscription.period_started_at = change.period_started_at
        subscription.period_ends_at = subscription.due_at = change.period_ends_at
        subscription.remind_at = next_reminder(change.period_ends_at, now=now)
    _tell_done(session, subscription, change, now=now)
    pricing.catch_up(session, subscription, now=now)


def _record_growth(session: Session, change: PlanChange, app: Instance, *, now: datetime) -> None:
    if app.storage_gib > _before(change, app)["storage_gib"]:
        instances.record_volume(session, app.id, storage_gib=app.storage_gib, code="volume_grown", now=now)


def _send_back(session: Session, change: PlanChange, app: Instance, *, now: datetime) -> None:
    before = _before(change, app)
    size = {"cpu_millicores": before["cpu_millicores"], "memory_mib": before["memory_mib"]}
    instances.want_volume(session, app.id, before["storage_gib"])
    instances.resize(session, app.id, **size, code="resize_undone", now=now)


def _keep_grown(session: Session, app: Instance, found_gib: int, *, now: datetime) -> None:
    if found_gib > app.storage_gib:
        instances.record_volume(session, app.id, storage_gib=found_gib, code="volume_stays_larger", now=now)


def _before(change: PlanChange, app: Instance) -> dict[str, int]:
    """The app's size before the change; one that came since has only the present one."""
    return change.before["apps"].get(str(app.id), _size(app))


def _refund(session: Session, subscription: Subscription, change: PlanChange, *, now: datetime) -> UUID | None:
    assert change.charge_id is not None, "what is carried out was charged"
    charge = session.get_one(SubscriptionCharge, change.charge_id, with_for_update=True, populate_existing=True)
    due = Money(charge.amount - charge.refunded, charge.currency)
    return refund_charge(session, subscription, charge, due, code="upgrade_refund", now=now) if due else None


def _tell_done(session: Session, subscription: Subscription, change: PlanChange, *, now: datetime) -> None:
    plan = sold_plan(session, change.to_plan_id, still_sold=False)
    parameters = _words(plan, change) | {
        "amount": change.total,
        "price": change.to_price,
        "ends_at": change.period_ends_at.isoformat(),
        "subscription_id": str(subscription.id),
    }
    _tell(session, change, "plan_changed", parameters, now=now)


def _tell_failed(
    session: Session, subscription: Subscription, change: PlanChange, note_id: UUID | None, *, now: datetime
) -> None:
    plan = sold_plan(session, change.to_plan_id, still_sold=False)
    parameters = _words(plan, change) | {
        "amount": change.total,
        "reason": change.failure_code,
        "subscription_id": str(subscription.id),
    }
    _tell(session, change, "plan_change_failed", parameters, now=now, document_id=note_id)


def _tell(session: Session, change: PlanChange, code: str, parameters: dict[str, Any], **more: Any) -> None:
    key = f"{code}:{change.id}"
    notices.tell(session, customer_id=change.customer_id, code=code, parameters=parameters, unique_key=key, **more)


def _words(plan: Plan, change: PlanChange) -> dict[str, Any]:
    """What lines and notices say of a change."""
    return {"app": plan.service.name, "plan": plan.name, "interval": change.to_interval}


def _figures(subscription: Subscription) -> dict[str, Any]:
    """What the change will overwrite, for whoever asks later."""
    return {
        "plan_id": str(subscription.plan_id),
        "price": subscription.price,
        "interval": subscription.interval,
        "anchor_day": subscription.anchor_day,
        "period_started_at": subscription.period_started_at.isoformat(),
        "period_ends_at": subscription.period_ends_at.isoformat(),
    }


def _size(app: Instance) -> dict[str, int]:
    return {"cpu_millicores": app.cpu_millicores, "memory_mib": app.memory_mib, "storage_gib": app.storage_gib}
