"""The verbs of subscriptions: subscribe in one transaction, undo it when provisioning fails, end it.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.accounts.models import Customer
from portal.catalog import actions as catalog
from portal.catalog.errors import PlanNotSold
from portal.catalog.models import Interval, Plan
from portal.core import switches
from portal.core.clock import today
from portal.core.ids import new_id
from portal.core.money import Money
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.actions import split_price
from portal.invoices.models import Document, Series
from portal.notices import actions as notices
from portal.subscriptions import rules
from portal.subscriptions.errors import DuplicateSubscription, PriceChanged, SubscriptionNotFound
from portal.subscriptions.models import (
    ENDED,
    HOLDS_SLOT,
    ChargeKind,
    IntentStatus,
    LaunchIntent,
    Subscription,
    SubscriptionCharge,
    SubscriptionStatus,
)
from portal.wallet import actions as wallet
from portal.wallet.actions import Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType


@dataclass(frozen=True)
class Purchase:
    """What the customer agreed to: the plan, the interval and the total they saw. `key` makes a repeat harmless."""

    plan_id: UUID
    interval: str
    agreed_total: Money
    key: str


def subscribe(session: Session, customer_id: UUID, purchase: Purchase, *, now: datetime) -> Subscription:
    """Buys a plan: money, slot, subscription, charge, invoice draft, instance and queued work, or nothing at all.

    A repeat of the purchase's key returns the same subscription. Raises `PlanNotSold`, `DuplicateSubscription`,
    `PriceChanged`, `QuotaExceeded`, `InsufficientCredit` (with the exact shortfall).
    """
    customer = session.get_one(Customer, customer_id, with_for_update=True)
    known = _of_key(session, customer_id, purchase.key)
    if known is not None:
        return known
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    plan = sold_plan(session, purchase.plan_id)
    price = plan.price(purchase.interval)
    if price is None:
        raise PlanNotSold
    _refuse_second(session, customer_id, plan.service_id)
    if price + Money(plan.setup_fee, price.currency) != purchase.agreed_total:
        raise PriceChanged
    catalog.take_slot(session, plan.id)
    subscription = _open(session, customer, plan, purchase, price, now=now)
    charge = _charge(session, subscription, plan, now=now)
    _draft_invoice(session, subscription, plan, charge, now=now)
    _start_instance(session, customer, subscription, plan, now=now)
    _tell_started(session, subscription, plan, charge, now=now)
    _settle_intents(session, subscription, now=now)
    return subscription


def sold_plan(session: Session, plan_id: UUID) -> Plan:
    """The plan with its service and prices, as long as both are for sale; raises `PlanNotSold`."""
    statement = (
        select(Plan)
        .options(joinedload(Plan.service), selectinload(Plan.prices))
        .where(Plan.id == plan_id)
        .execution_options(populate_existing=True)
    )
    plan = session.scalar(statement)
    if plan is None or not plan.active or not plan.service.active:
        raise PlanNotSold
    return plan


def live_subscription(session: Session, customer_id: UUID, service_id: UUID) -> Subscription | None:
    """The customer's one live subscription to a service, in whatever state short of its end."""
    return session.scalar(
        select(Subscription).where(
            Subscription.customer_id == customer_id,
            Subscription.service_id == service_id,
            Subscription.status.not_in(ENDED),
        )
    )


def _of_key(session: Session, customer_id: UUID, key: str) -> Subscription | None:
    return session.scalar(
        select(Subscription).where(Subscription.customer_id == customer_id, Subscription.idempotency_key == key)
    )


def _refuse_second(session: Session, customer_id: UUID, service_id: UUID) -> None:
    live = live_subscription(session, customer_id, service_id)
    if live is not None:
        raise DuplicateSubscription(live.id)


def _open(
    session: Session, customer: Customer, plan: Plan, purchase: Purchase, price: Money, *, now: datetime
) -> Subscription:
    anchor_day = today(now).day
    subscription = Subscription(
        id=new_id(),
        customer_id=customer.id,
        service_id=plan.service_id,
        plan_id=plan.id,
        status=SubscriptionStatus.ACTIVE,
        interval=Interval(purchase.interval),
        price=price.amount,
        currency=price.currency,
        anchor_day=anchor_day,
        started_at=now,
        period_started_at=now,
        period_ends_at=rules.period_end(now, purchase.interval, anchor_day=anchor_day),
        idempotency_key=purchase.key,
        created_at=now,
    )
    session.add(subscription)
    session.flush()
    return subscription


def _charge(session: Session, subscription: Subscription, plan: Plan, *, now: datetime) -> SubscriptionCharge:
    """Takes the first period's price and the setup fee from credit, once per subscription and period."""
    total = subscription.price_money + Money(plan.setup_fee, subscription.currency)
    charge = SubscriptionCharge(
        id=new_id(),
        subscription_id=subscription.id,
        period_number=subscription.period_number,
        kind=ChargeKind.FIRST,
        amount=total.amount,
        setup_fee=plan.setup_fee,
        currency=subscription.currency,
        charged_at=now,
    )
    charge.entry_id = wallet.pay(
        session,
        subscription.customer_id,
        total,
        ppn=Money(split_price(total.amount).ppn, total.currency),
        key=f"charge:{subscription.id}:{charge.period_number}",
        about=Reference("subscription_charge", charge.id),
        line=Line(TransactionType.SUBSCRIPTION, "subscription", _words(plan, subscription)),
        now=now,
    )
    session.add(charge)
    session.flush()
    return charge


def _draft_invoice(
    session: Session, subscription: Subscription, plan: Plan, charge: SubscriptionCharge, *, now: datetime
) -> None:
    if not charge.amount:
        return
    words = {
        **_words(plan, subscription),
        "from": today(subscription.period_started_at).isoformat(),
        "to": today(subscription.period_ends_at).isoformat(),
    }
    lines = [DocumentLine("subscription", words, charge.amount - charge.setup_fee)]
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


def _start_instance(
    session: Session, customer: Customer, subscription: Subscription, plan: Plan, *, now: datetime
) -> None:
    instances.create(
        session,
        customer=customer,
        subscription_id=subscription.id,
        service_slug=plan.service.slug,
        service_name=plan.service.name,
        cpu_millicores=plan.cpu_millicores,
        memory_mib=plan.memory_mib,
        storage_gib=plan.storage_gib,
        now=now,
    )


def _tell_started(
    session: Session, subscription: Subscription, plan: Plan, charge: SubscriptionCharge, *, now: datetime
) -> None:
    """In-app only: the invoice is the mail."""
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="subscription_started",
        parameters={**_words(plan, subscription), "amount": charge.amount, "subscription_id": str(subscription.id)},
        unique_key=f"subscription_started:{subscription.id}",
        now=now,
        mail=charge.amount == 0,
    )


def _settle_intents(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """What waited for credit to launch this app is done with: a later top-up must not launch it by surprise."""
    plans = select(Plan.id).where(Plan.service_id == subscription.service_id)
    bought = LaunchIntent.plan_id == subscription.plan_id
    values = {
        "status": case((bought, IntentStatus.FULFILLED.value), else_=IntentStatus.CANCELLED.value),
        "subscription_id": subscription.id,
        "decided_at": now,
    }
    statement = update(LaunchIntent).where(
        LaunchIntent.customer_id == subscription.customer_id,
        LaunchIntent.plan_id.in_(plans),
        LaunchIntent.status == IntentStatus.WAITING,
    )
    session.execute(statement.values(values).execution_options(synchronize_session=False))


def _words(plan: Plan, subscription: Subscription) -> dict[str, str]:
    """What lines and notices say of a subscription."""
    return {"app": plan.service.name, "plan": plan.name, "interval": subscription.interval}


def fail_provisioning(
    session: Session, instance_id: UUID, *, code: str, parameters: dict[str, object], now: datetime
) -> bool:
    """An app never came up: fences it, gives the money back, ends the subscription, tells the customer. Once.

    Returns False, and changes nothing, when the instance was fenced before or has been running. The slot is freed
    later, when the cluster confirms that nothing is left of it.
    """
    subscription = _locked_of_instance(session, instance_id)
    instance = instances.locked(session, instance_id)
    if instance.ready_at is not None or instance.fenced_at is not None:
        return False
    refunded = _refund_in_full(session, subscription, now=now)
    if not instances.fence(session, instance_id, now=now, failure_code=code, failure_parameters=parameters):
        return False
    _end(subscription, "provisioning_failed", now=now)
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="instance_failed_refunded",
        parameters={
            "app": instance.service_name,
            "amount": refunded,
            "reason": code,
            "instance_id": str(instance_id),
        },
        unique_key=f"instance_failed:{instance_id}",
        now=now,
    )
    return True


def _refund_in_full(session: Session, subscription: Subscription, *, now: datetime) -> int:
    """Refunds every charge of a subscription that never ran, by new entries; returns the sum in whole rupiah."""
    statement = select(SubscriptionCharge).where(SubscriptionCharge.subscription_id == subscription.id)
    refunded = 0
    for charge in session.scalars(statement.with_for_update()):
        due = Money(charge.amount - charge.refunded, charge.currency)
        if not due or charge.entry_id is None:
            continue
        charge.refunded = charge.amount
        wallet.refund_purchase(
            session,
            subscription.customer_id,
            due,
            ppn=Money(split_price(due.amount).ppn, due.currency),
            key=f"refund:{charge.id}",
            about=Reference("subscription_charge", charge.id),
            corrects_id=charge.entry_id,
            line=Line(TransactionType.REFUND, "provisioning_refund", {"app": _service_name(session, subscription)}),
            now=now,
        )
        _draft_credit_note(session, subscription, charge, due, now=now)
        refunded += due.amount
    return refunded


def _draft_credit_note(
    session: Session, subscription: Subscription, charge: SubscriptionCharge, amount: Money, *, now: datetime
) -> None:
    invoice_id = session.scalars(
        select(Document.id).where(
            Document.reference_kind == "subscription_charge",
            Document.reference_id == charge.id,
            Document.series == Series.INVOICE,
        )
    ).one()
    invoices.draft(
        session,
        customer_id=subscription.customer_id,
        series=Series.CREDIT_NOTE,
        reference_kind="subscription_charge",
        reference_id=charge.id,
        lines=[DocumentLine("provisioning_refund", {"app": _service_name(session, subscription)}, amount.amount)],
        now=now,
        corrects_id=invoice_id,
    )


def _service_name(session: Session, subscription: Subscription) -> str:
    statement = select(Instance.service_name).where(Instance.subscription_id == subscription.id)
    return session.scalar(statement.limit(1)) or ""


def _end(subscription: Subscription, reason: str, *, now: datetime) -> None:
    subscription.status, subscription.ended_at, subscription.end_reason = SubscriptionStatus.CANCELLED, now, reason


def confirm_clean_up(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """The cluster confirmed that nothing labelled is left: frees the slot unless the subscription holds it. Once."""
    subscription = _locked_of_instance(session, instance_id)
    if not instances.mark_cleaned_up(session, instance_id, now=now):
        return False
    if subscription.status not in HOLDS_SLOT and not _has_unclean_instances(session, subscription.id):
        catalog.free_slot(session, subscription.plan_id)
    return True


def _has_unclean_instances(session: Session, subscription_id: UUID) -> bool:
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id, Instance.cleaned_up_at.is_(None))
    return session.scalar(statement.limit(1)) is not None


def delete_instance(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """Ends an app for good, at the customer's word: the subscription ends now, without a refund, and its data goes.

    False, and no change, on a repeat. The slot is freed once the cluster confirms the clean-up.
    """
    subscription = _locked_of_instance(session, instance_id)
    instance = instances.locked(session, instance_id)
    if not instances.fence(session, instance_id, now=now):
        return False
    if subscription.live:
        _end(subscription, "deleted", now=now)
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="instance_deleted",
        parameters={"app": instance.service_name, "name": instance.name},
        unique_key=f"instance_deleted:{instance_id}",
        now=now,
    )
    return True


def _locked_of_instance(session: Session, instance_id: UUID) -> Subscription:
    """The instance's subscription, locked before the instance itself, as the lock order wants."""
    subscription_id = session.scalar(select(Instance.subscription_id).where(Instance.id == instance_id))
    statement = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    subscription = session.scalar(statement.execution_options(populate_existing=True))
    if subscription is None:
        raise SubscriptionNotFound
    return subscription
