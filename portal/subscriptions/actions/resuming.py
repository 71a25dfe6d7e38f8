"""The way back from a suspension: a slot, a charge for a new period from today, and the apps as they were.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer
from portal.catalog.models import Plan
from portal.core import switches
from portal.core.clock import today
from portal.core.db import ROW_LOCK
from portal.core.ids import new_id
from portal.core.money import Money
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.actions import split_price
from portal.invoices.models import Series
from portal.notices import actions as notices
from portal.subscriptions.actions import slots
from portal.subscriptions.actions.living import live, locked_own
from portal.subscriptions.actions.suspending import resume_apps
from portal.subscriptions.errors import CannotResume, PriceChanged
from portal.subscriptions.models import AttemptOutcome, ChargeKind, RenewalAttempt, Subscription, SubscriptionCharge
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.life import Life, life_of, resumed
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType


def resume(
    session: Session, subscription_id: UUID, customer_id: UUID, *, agreed: Money | None = None, now: datetime
) -> Subscription:
    """Brings a suspended subscription back at its customer's word: it pays a new period from now, and its apps come
    back exactly as they were. `agreed` is the total they saw (None: whatever it costs).

    One that runs already stays as it is. Raises `CannotResume`, `PriceChanged`, `QuotaExceeded`, `InsufficientCredit`.
    """
    session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    subscription = locked_own(session, subscription_id, customer_id)
    if subscription.holds_slot and subscription.live:
        return subscription
    if not choices.can_resume(subscription):
        raise CannotResume
    come_back(session, subscription, agreed=agreed, now=now)
    return subscription


def come_back(session: Session, subscription: Subscription, *, agreed: Money | None = None, now: datetime) -> None:
    """The way back of a suspended subscription whose customer and own row are held: all of it or nothing.

    Raises `PriceChanged`, `QuotaExceeded`, `InsufficientCredit`.
    """
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = _plan(session, subscription)
    turn, price = resumed(life_of(subscription), now=now), price_now(subscription, plan, now=now)
    if agreed not in (None, price):
        raise PriceChanged
    slots.take(session, subscription.customer_id, plan_id=plan.id, service_id=plan.service_id, now=now, resuming=True)
    setup_fee = first_fee(subscription, plan)
    live(subscription, turn.life)
    charge = _charge(session, subscription, plan, price, setup_fee=setup_fee, now=now)
    _note_attempt(session, charge, now=now)
    resume_apps(session, subscription, now=now)
    _tell_resumed(session, subscription, plan, charge, now=now)


def price_now(life: Life | Subscription, plan: Plan, *, now: datetime) -> Money:
    """What coming back costs today: the price as it is, and the setup fee of who has never paid."""
    as_life = life if isinstance(life, Life) else life_of(life)
    return Money(resumed(as_life, now=now).charge + first_fee(life, plan))


def first_fee(life: Life | Subscription, plan: Plan) -> int:
    """The setup fee belongs to the first period that is paid: after a trial, to the way back."""
    return plan.setup_fee if life.period_number == 0 else 0


def _plan(session: Session, subscription: Subscription) -> Plan:
    statement = select(Plan).options(joinedload(Plan.service)).where(Plan.id == subscription.plan_id)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _charge(
    session: Session, subscription: Subscription, plan: Plan, price: Money, *, setup_fee: int, now: datetime
) -> SubscriptionCharge:
    charge = SubscriptionCharge(
        id=new_id(),
        subscription_id=subscription.id,
        period_number=subscription.period_number,
        kind=ChargeKind.RESUMPTION,
        amount=price.amount,
        setup_fee=setup_fee,
        currency=subscription.currency,
        charged_at=now,
    )
    charge.entry_id = wallet.pay(
        session,
        subscription.customer_id,
        price,
        ppn=Money(split_price(price.amount).ppn, price.currency),
        key=f"charge:{subscription.id}:{charge.period_number}",
        about=Reference("subscription_charge", charge.id),
        line=Line(TransactionType.RENEWAL, "resumption", _words(plan, subscription)),
        now=now,
    )
    session.add(charge)
    session.flush()
    if charge.amount:
        _draft_invoice(session, subscription, plan, charge, now=now)
    return charge


def _draft_invoice(
    session: Session, subscription: Subscription, plan: Plan, charge: SubscriptionCharge, *, now: datetime
) -> None:
    days = {
        "from": today(subscription.period_started_at).isoformat(),
        "to": today(subscription.period_ends_at).isoformat(),
    }
    lines = [DocumentLine("resumption", {**_words(plan, subscription), **days}, charge.amount - charge.setup_fee)]
    if charge.setup_fee:
        lines.append(DocumentLine("setup_fee", _words(plan, subscription), charge.setup_fee))
    invoices.draft(
        session,
        customer_id=subscription.customer_id,
        series=Series.INVOICE,
        reference_kind="subscription_charge",
        reference_id=charge.id,
        lines=lines,
        now=now,
    )


def _note_attempt(session: Session, charge: SubscriptionCharge, *, now: datetime) -> None:
    session.add(
        RenewalAttempt(
            subscription_id=charge.subscription_id,
            period_number=charge.period_number,
            outcome=AttemptOutcome.PAID,
            amount=charge.amount,
            attempted_at=now,
        )
    )


def _tell_resumed(
    session: Session, subscription: Subscription, plan: Plan, charge: SubscriptionCharge, *, now: datetime
) -> None:
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="subscription_resumed",
        parameters={
            **_words(plan, subscription),
            "amount": charge.amount,
            "ends_at": subscription.period_ends_at.isoformat(),
            "subscription_id": str(subscription.id),
        },
        unique_key=f"subscription_resumed:{subscription.id}:{subscription.period_number}",
        now=now,
    )


def _words(plan: Plan, subscription: Subscription) -> dict[str, str]:
    return {"app": plan.service.name, "plan": plan.name, "interval": subscription.interval}
