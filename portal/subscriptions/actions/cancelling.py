"""Leaving, and thinking better of it: at the period's end or at once, auto-renew, and what is kept alive first."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.catalog import actions as catalog
from portal.catalog.models import Service
from portal.core.db import ROW_LOCK
from portal.core.money import Money
from portal.instances.models import Instance
from portal.notices import actions as notices
from portal.subscriptions.actions import slots
from portal.subscriptions.actions.living import locked_own
from portal.subscriptions.actions.refunding import Refund, refund_period
from portal.subscriptions.actions.suspending import end, lock_plans
from portal.subscriptions.actions.under_way import refuse_during_change
from portal.subscriptions.errors import (
    CannotCancelLater,
    CannotSwitchAutoRenew,
    RefundChanged,
    StillBeingSetUp,
    SubscriptionEnded,
    SubscriptionNotFound,
)
from portal.subscriptions.models import (
    ENDED,
    EndReason,
    Subscription,
    SubscriptionCharge,
    WaitlistStatus,
)
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.refunds import Agreed, Paid, RefundRule, refund_due
from portal.subscriptions.rules.runway import order_of
from portal.wallet.ledger import lock_wallet


def request_cancellation(session: Session, subscription_id: UUID, customer_id: UUID, *, now: datetime) -> Subscription:
    """Ends it with the period that runs; until then everything goes on and `undo_cancellation` takes it back.

    A repeat changes nothing. Raises `SubscriptionEnded`, `CannotCancelLater` when no period runs.
    """
    subscription = _live_own(session, subscription_id, customer_id)
    if not choices.can_cancel(subscription):
        raise CannotCancelLater
    if subscription.cancel_requested_at is None:
        subscription.cancel_requested_at = now
        _tell(session, subscription, "cancellation_requested", now=now, ends_at=subscription.period_ends_at.isoformat())
    return subscription


def undo_cancellation(session: Session, subscription_id: UUID, customer_id: UUID, *, now: datetime) -> Subscription:
    """Takes a cancellation back before it takes effect; without one nothing changes. Raises `SubscriptionEnded`."""
    subscription = _live_own(session, subscription_id, customer_id)
    if choices.can_undo(subscription):
        subscription.cancel_requested_at = None
        _tell(session, subscription, "cancellation_undone", now=now, ends_at=subscription.period_ends_at.isoformat())
    return subscription


def set_auto_renew(
    session: Session, subscription_id: UUID, customer_id: UUID, *, on: bool, now: datetime
) -> Subscription:
    """Whether it renews by itself. Off, the period's end suspends it and keeps its data. A repeat changes nothing.

    Raises `SubscriptionEnded`, `CannotSwitchAutoRenew`.
    """
    subscription = _live_own(session, subscription_id, customer_id)
    if subscription.auto_renew == on:
        return subscription
    if not choices.can_switch_auto_renew(subscription, on=on):
        raise CannotSwitchAutoRenew
    subscription.auto_renew = on
    code = "auto_renew_on" if on else "auto_renew_off"
    _tell(session, subscription, code, now=now, mail=False, ends_at=subscription.period_ends_at.isoformat())
    return subscription


def cancel_now(
    session: Session, subscription_id: UUID, customer_id: UUID, *, agreed: Agreed | None = None, now: datetime
) -> Subscription:
    """Ends it at once, with its apps and their data, and gives back exactly the `agreed` refund (None: what is due).

    The slot is freed once the cluster confirms the clean-up. A repeat changes nothing. Raises `SubscriptionEnded`
    when it ended otherwise, `RefundChanged`, `PlanChangeUnderWay`, `StillBeingSetUp`.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription = locked_own(session, subscription_id, customer_id)
    if subscription.end_reason == EndReason.CANCELLED:
        return subscription
    refuse_ended(subscription)
    _refuse_first_roll_out(session, subscription)
    refund = end_at_once(session, subscription, EndReason.CANCELLED, agreed=agreed, now=now)
    _tell(
        session, subscription, "subscription_cancelled", now=now, amount=refund.amount,
        document_id=refund.credit_note_id,
    )  # fmt: skip
    return subscription


def end_at_once(
    session: Session, subscription: Subscription, reason: EndReason, *, agreed: Agreed | None = None, now: datetime
) -> Refund:
    """What cancelling now and deleting the last app have in common: the refund, then the end of every app.

    The caller holds the customer and the subscription. Raises `RefundChanged` when the refund is no longer what was
    agreed, `PlanChangeUnderWay`.
    """
    refuse_during_change(session, subscription.id)
    lock_plans(session, [subscription.plan_id])
    _stop_waiting_to_resume(session, subscription, now=now)
    lock_wallet(session, subscription.customer_id, now=now)
    due = refund_now(session, subscription, now=agreed.quoted_at if agreed else now)
    if agreed and (agreed.refund != due or not agreed.still_stands(now=now, for_at_most=_quotes_hold())):
        raise RefundChanged
    refund = refund_period(session, subscription, due, code="cancellation_refund", now=now)
    end(session, subscription, reason, now=now)
    return refund


def _stop_waiting_to_resume(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """What ends needs no slot any more: one that was offered to it goes to the next in line."""
    for entry in slots.of_service(session, subscription.customer_id, subscription.service_id).entries:
        if entry.resumes_id != subscription.id:
            continue
        if entry.holds_slot:
            catalog.free_slot(session, entry.plan_id)
        slots.end_entry(session, entry, WaitlistStatus.LEFT, now=now)


def _quotes_hold() -> timedelta:
    return timedelta(minutes=settings().quote_minutes)


def refund_now(session: Session, subscription: Subscription, *, rule: RefundRule | None = None, now: datetime) -> Money:
    """What ending at `now` gives back, by the operator's rule (None): the figure that pages show and `cancel_now`
    pays."""
    columns = SubscriptionCharge.amount, SubscriptionCharge.setup_fee, SubscriptionCharge.refunded
    statement = select(*columns).where(
        SubscriptionCharge.subscription_id == subscription.id,
        SubscriptionCharge.period_number == subscription.period_number,
    )
    paid = [Paid(*row) for row in session.execute(statement)]
    rule = rule or RefundRule(settings().refund_rule)
    return Money(refund_due(subscription, paid, rule=rule, now=now), subscription.currency)


def set_order(
    session: Session, subscription_id: UUID, customer_id: UUID, *, place: int, now: datetime
) -> list[Subscription]:
    """Puts a live subscription at `place` (from 1) of what one credit keeps alive first; returns all in that order.

    A place beyond an end is that end; the same place again changes nothing. Raises `SubscriptionNotFound`.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    statement = select(Subscription).where(Subscription.customer_id == customer_id, Subscription.status.not_in(ENDED))
    locked = session.scalars(
        statement.order_by(Subscription.id).with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    ordered = sorted(locked, key=order_of)
    moved = next((one for one in ordered if one.id == subscription_id), None)
    if moved is None:
        raise SubscriptionNotFound
    ordered.remove(moved)
    ordered.insert(max(place, 1) - 1, moved)
    for number, subscription in enumerate(ordered, start=1):
        subscription.renewal_order = number
    return ordered


def refuse_ended(subscription: Subscription) -> None:
    """Raises `SubscriptionEnded`."""
    if not choices.can_cancel_now(subscription):
        raise SubscriptionEnded


def _live_own(session: Session, subscription_id: UUID, customer_id: UUID) -> Subscription:
    subscription = locked_own(session, subscription_id, customer_id)
    refuse_ended(subscription)
    return subscription


def _refuse_first_roll_out(session: Session, subscription: Subscription) -> None:
    """An app that never ran either runs or is refunded in full, within minutes: better than any refund here."""
    statement = select(Instance.ready_at).where(
        Instance.subscription_id == subscription.id, Instance.fenced_at.is_(None)
    )
    readied = session.scalars(statement).all()
    if readied and not any(readied):
        raise StillBeingSetUp


def _tell(
    session: Session,
    subscription: Subscription,
    code: str,
    *,
    now: datetime,
    mail: bool = True,
    document_id: UUID | None = None,
    **parameters: object,
) -> None:
    """Each of the customer's decisions is told once: a later one of the same kind happens at another moment."""
    app = session.scalars(select(Service.name).where(Service.id == subscription.service_id)).one()
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code=code,
        parameters={"app": app, "subscription_id": str(subscription.id), **parameters},
        unique_key=f"{code}:{subscription.id}:{now.isoformat()}",
        now=now,
        mail=mail,
        document_id=document_id,
    )
