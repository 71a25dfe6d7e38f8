"""*Pay and launch*: a stored wish that subscribes by itself when the credit arrives."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, joinedload

from config import settings
from portal.accounts.models import Customer
from portal.catalog import actions as catalog
from portal.catalog.errors import PlanNotSold, QuotaExceeded
from portal.catalog.models import Plan
from portal.core.db import ROW_LOCK
from portal.core.errors import PortalError
from portal.core.ids import new_id
from portal.core.money import Money
from portal.notices import actions as notices
from portal.subscriptions import actions, rules
from portal.subscriptions.actions import Purchase, slots
from portal.subscriptions.errors import DuplicateSubscription, PriceChanged, TooManyHolds
from portal.subscriptions.models import IntentStatus, LaunchIntent
from portal.wallet.errors import InsufficientCredit

FINAL_REFUSALS = (QuotaExceeded, PlanNotSold, DuplicateSubscription, PriceChanged)


def note_intent(
    session: Session,
    customer_id: UUID,
    plan_id: UUID,
    interval: str,
    *,
    now: datetime,
    agreed_total: Money | None = None,
    hold: bool = False,
) -> LaunchIntent:
    """Remembers what to launch once the credit is there. A repeat for the same plan updates the waiting one.

    With `hold` a slot is held for it for `launch_hold_minutes`, which a repeat does not prolong. Raises `PlanNotSold`,
    `DuplicateSubscription`, `PriceChanged` when the price is not the `agreed_total` shown, and with `hold` also
    `QuotaExceeded` (one that others wait for is not held) and `TooManyHolds`.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    plan = actions.sold_plan(session, plan_id)
    price = plan.price(interval)
    if price is None:
        raise PlanNotSold
    live = actions.live_subscription(session, customer_id, plan.service_id)
    if live is not None:
        raise DuplicateSubscription(live.id)
    if agreed_total not in (None, price + Money(plan.setup_fee, price.currency)):
        raise PriceChanged
    intent = _waiting(session, customer_id, plan_id)
    if intent is None:
        intent = LaunchIntent(id=new_id(), customer_id=customer_id, plan_id=plan_id, created_at=now)
        session.add(intent)
    intent.interval, intent.price, intent.setup_fee = interval, price.amount, plan.setup_fee
    session.flush()
    if hold and not intent.holds_slot:
        _hold_slot(session, intent, plan, now=now)
    return intent


def _hold_slot(session: Session, intent: LaunchIntent, plan: Plan, *, now: datetime) -> None:
    """Takes a slot for a launch that is being paid for; one that the waitlist offers to the customer will do."""
    if any(one.plan_id == plan.id for one in slots.of_service(session, intent.customer_id, plan.service_id).holding):
        return
    held = select(func.count()).where(LaunchIntent.customer_id == intent.customer_id, _holding())
    if not rules.may_hold_another(session.scalars(held).one()):
        raise TooManyHolds
    catalog.take_slot(session, plan.id)
    slots.refuse_past_the_queue(session, intent.customer_id, plan.id)
    intent.hold_ends_at = now + timedelta(minutes=settings().launch_hold_minutes)


def release_hold(session: Session, intent_id: UUID, *, now: datetime) -> bool:
    """Frees the slot of a launch that was not paid for in time; the launch itself goes on waiting. Once."""
    customer_id = session.scalars(select(LaunchIntent.customer_id).where(LaunchIntent.id == intent_id)).one()
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    intent = session.get_one(LaunchIntent, intent_id, with_for_update=True, populate_existing=True)
    if not intent.holds_slot or intent.hold_ends_at is None or intent.hold_ends_at > now:
        return False
    _free_slot(session, intent)
    plan = session.scalars(select(Plan).options(joinedload(Plan.service)).where(Plan.id == intent.plan_id)).one()
    notices.tell(
        session,
        customer_id=intent.customer_id,
        code="launch_hold_ended",
        parameters={"app": plan.service.name, "plan": plan.name},
        unique_key=f"launch_hold_ended:{intent.id}:{now.isoformat()}",
        now=now,
        mail=False,
    )
    return True


def holds_ended(session: Session, *, now: datetime) -> list[UUID]:
    """Ids of launches whose hold's time is up, the longest overdue first."""
    statement = select(LaunchIntent.id).where(_holding(), LaunchIntent.hold_ends_at <= now)
    return list(session.scalars(statement.order_by(LaunchIntent.hold_ends_at, LaunchIntent.id)))


def _holding() -> ColumnElement[bool]:
    return and_(LaunchIntent.status == IntentStatus.WAITING, LaunchIntent.hold_ends_at.is_not(None))


def _free_slot(session: Session, intent: LaunchIntent) -> None:
    if intent.holds_slot:
        catalog.free_slot(session, intent.plan_id)
        intent.hold_ends_at = None


def attach_payment(session: Session, intent_id: UUID, customer_id: UUID, payment_id: UUID) -> None:
    """Ties a waiting intent to the top-up that was made for it, so that its page can tell of the launch."""
    statement = select(LaunchIntent).where(LaunchIntent.id == intent_id, LaunchIntent.customer_id == customer_id)
    intent = session.scalar(statement.with_for_update())
    if intent is not None and intent.status == IntentStatus.WAITING:
        intent.payment_id = payment_id


def cancel_intent(session: Session, intent_id: UUID, customer_id: UUID, *, now: datetime) -> None:
    """Forgets a waiting intent at the customer's word, and frees its slot; a repeat changes nothing."""
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    statement = select(LaunchIntent).where(LaunchIntent.id == intent_id, LaunchIntent.customer_id == customer_id)
    intent = session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if intent is not None and intent.status == IntentStatus.WAITING:
        _decide(session, intent, IntentStatus.CANCELLED, now=now)


def waiting_intents(session: Session, customer_id: UUID) -> list[UUID]:
    """Ids of what waits for credit, oldest first."""
    statement = select(LaunchIntent.id).where(
        LaunchIntent.customer_id == customer_id, LaunchIntent.status == IntentStatus.WAITING
    )
    return list(session.scalars(statement.order_by(LaunchIntent.created_at, LaunchIntent.id)))


def waiting(session: Session, intent_id: UUID, customer_id: UUID) -> LaunchIntent | None:
    """The customer's waiting intent with its plan and service, for the page that asks for the money."""
    statement = _with_service().where(
        LaunchIntent.id == intent_id,
        LaunchIntent.customer_id == customer_id,
        LaunchIntent.status == IntentStatus.WAITING,
    )
    return session.scalar(statement)


def of_payment(session: Session, payment_id: UUID) -> LaunchIntent | None:
    """The intent that a top-up was made for, as it is now."""
    statement = _with_service().where(LaunchIntent.payment_id == payment_id)
    return session.scalar(statement.execution_options(populate_existing=True))


def _with_service() -> Select[LaunchIntent]:
    return select(LaunchIntent).options(joinedload(LaunchIntent.plan).joinedload(Plan.service))


def fulfil(session: Session, intent_id: UUID, *, now: datetime) -> str:
    """Subscribes as agreed, if the credit is there; returns the intent's status.

    When the slot has gone, the price rose or the app is running already, the credit stays and the customer is told.
    Money and refusal never mix: the purchase runs in a savepoint of its own.
    """
    customer_id = session.scalars(select(LaunchIntent.customer_id).where(LaunchIntent.id == intent_id)).one()
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    statement = select(LaunchIntent).where(LaunchIntent.id == intent_id).with_for_update()
    intent = session.scalars(statement.execution_options(populate_existing=True)).one()
    if intent.status != IntentStatus.WAITING:
        return intent.status
    purchase = Purchase(
        intent.plan_id, intent.interval, Money(intent.price + intent.setup_fee), key=f"intent:{intent.id}"
    )
    try:
        with session.begin_nested():
            actions.subscribe(session, intent.customer_id, purchase, now=now)  # which ends the wait, too
    except InsufficientCredit:
        return intent.status
    except FINAL_REFUSALS as refusal:
        _give_up(session, intent, refusal, now=now)
    return intent.status


def _give_up(session: Session, intent: LaunchIntent, refusal: PortalError, *, now: datetime) -> None:
    intent.failure_code = refusal.code
    _decide(session, intent, IntentStatus.FAILED, now=now)
    plan = session.scalars(select(Plan).options(joinedload(Plan.service)).where(Plan.id == intent.plan_id)).one()
    notices.tell(
        session,
        customer_id=intent.customer_id,
        code="launch_waiting_failed",
        parameters={"app": plan.service.name, "plan": plan.name, "reason": refusal.code, "slug": plan.service.slug},
        unique_key=f"launch_waiting_failed:{intent.id}",
        now=now,
    )


def _decide(session: Session, intent: LaunchIntent, status: IntentStatus, *, now: datetime) -> None:
    _free_slot(session, intent)
    slots.end_intent(intent, status, now=now)


def _waiting(session: Session, customer_id: UUID, plan_id: UUID) -> LaunchIntent | None:
    return session.scalar(
        select(LaunchIntent).where(
            LaunchIntent.customer_id == customer_id,
            LaunchIntent.plan_id == plan_id,
            LaunchIntent.status == IntentStatus.WAITING,
        )
    )
