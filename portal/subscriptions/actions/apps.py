"""The apps of a subscription: one more, one that never came up, one that is deleted, one that is gone.

Locks are taken in the house's one order: customer, subscription, plan, wallet, instance.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog import actions as catalog
from portal.core import switches
from portal.core.db import ROW_LOCK
from portal.instances import actions as instances
from portal.instances.models import Instance
from portal.notices import actions as notices
from portal.subscriptions import rules
from portal.subscriptions.actions import trials
from portal.subscriptions.actions.cancelling import end_at_once, refund_now
from portal.subscriptions.actions.living import live
from portal.subscriptions.actions.refunding import Refund, refund_everything, refund_period
from portal.subscriptions.actions.subscribing import sold_plan, start_instance
from portal.subscriptions.actions.under_way import change_under_way, refuse_during_change
from portal.subscriptions.errors import NoRoomForInstance, SubscriptionNotFound
from portal.subscriptions.models import EndReason, Subscription
from portal.subscriptions.rules.life import ended, life_of
from portal.subscriptions.rules.refunds import Agreed, RefundRule
from portal.wallet.ledger import lock_wallet


def add_instance(
    session: Session, subscription_id: UUID, customer_id: UUID, *, running: int, now: datetime
) -> Instance:
    """One more app under the same subscription, up to its plan's `max_instances`; costs nothing more.

    `running` is how many the customer saw when pressing: a repeat of the press finds another number and is refused
    with `NoRoomForInstance`, like one beyond the limit. `PlanChangeUnderWay` while its size would be in doubt.
    """
    customer = session.get_one(Customer, customer_id, with_for_update=ROW_LOCK)
    switches.refuse_when_on(session, switches.Switch.NO_PROVISIONING)
    statement = select(Subscription).where(Subscription.id == subscription_id, Subscription.customer_id == customer_id)
    subscription = session.scalar(statement.with_for_update(key_share=True).execution_options(populate_existing=True))
    if subscription is None:
        raise SubscriptionNotFound
    refuse_during_change(session, subscription.id)
    plan = sold_plan(session, subscription.plan_id, still_sold=False)
    present = instances_present(session, subscription.id)
    if running != present or not rules.may_add_instance(subscription.status, present=present, most=plan.max_instances):
        raise NoRoomForInstance
    return start_instance(session, customer, subscription, plan, now=now)


def instances_present(session: Session, subscription_id: UUID) -> int:
    """Apps of a subscription that run or may run again."""
    statement = select(func.count()).where(Instance.subscription_id == subscription_id, Instance.fenced_at.is_(None))
    return session.scalar(statement) or 0


def fail_provisioning(
    session: Session, instance_id: UUID, *, code: str, parameters: dict[str, object], now: datetime
) -> bool:
    """An app never came up: fences it, gives the money back, ends the subscription, tells the customer. Once.

    Returns False, and changes nothing, when the instance was fenced before or has been running. The slot is freed
    later, when the cluster confirms that nothing is left of it. A further app of a subscription cost nothing: while
    another one is there, it alone goes. When the others ran and were deleted meanwhile, nothing is left to pay for:
    the unused time comes back, whatever the refund rule, and the subscription ends.
    """
    subscription = _locked_of_instance(session, instance_id)
    lock_wallet(session, subscription.customer_id, now=now)
    instance = instances.locked(session, instance_id)
    if instance.ready_at is not None or instance.fenced_at is not None:
        return False
    refund = Refund()
    if _ends_with(session, subscription, instance_id):
        refund = _end_undelivered(session, subscription, now=now)
    if not instances.fence(session, instance_id, now=now, failure_code=code, failure_parameters=parameters):
        return False
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="instance_failed_refunded" if refund.amount else "instance_failed",
        parameters={
            "app": instance.service_name,
            "amount": refund.amount,
            "reason": code,
            "instance_id": str(instance_id),
            "subscription_id": str(subscription.id),
        },
        unique_key=f"instance_failed:{instance_id}",
        now=now,
        document_id=refund.credit_note_id,
    )
    return True


def _ends_with(session: Session, subscription: Subscription, instance_id: UUID) -> bool:
    """Not while its plan changes, which would be left without an end: then `leaks` names what stays behind."""
    return is_last(session, subscription, instance_id) and change_under_way(session, subscription.id) is None


def _end_undelivered(session: Session, subscription: Subscription, *, now: datetime) -> Refund:
    code = "provisioning_refund"
    if _has_ever_run(session, subscription.id):
        unused = refund_now(session, subscription, rule=RefundRule.PRO_RATA, now=now)
        refund, reason = refund_period(session, subscription, unused, code=code, now=now), EndReason.DELETED
    else:
        refund, reason = refund_everything(session, subscription, code=code, now=now), EndReason.PROVISIONING_FAILED
        trials.give_back(session, subscription.id)
    live(subscription, ended(life_of(subscription), reason, now=now).life)
    return refund


def _has_ever_run(session: Session, subscription_id: UUID) -> bool:
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id, Instance.ready_at.is_not(None))
    return session.scalar(statement.limit(1)) is not None


def confirm_clean_up(session: Session, instance_id: UUID, *, now: datetime) -> bool:
    """The cluster confirmed that nothing labelled is left: frees the slot its ended subscription holds. Once."""
    subscription = _locked_of_instance(session, instance_id)
    # Only this verb writes `cleaned_up_at`, and it holds the subscription: reading without a lock is enough.
    unclean = _unclean_instances(session, subscription.id)
    if instance_id not in unclean:
        return False
    if not subscription.live and subscription.holds_slot and unclean == {instance_id}:
        catalog.free_slot(session, subscription.plan_id)
        subscription.holds_slot = False
    return instances.mark_cleaned_up(session, instance_id, now=now)


def _unclean_instances(session: Session, subscription_id: UUID) -> set[UUID]:
    statement = select(Instance.id).where(Instance.subscription_id == subscription_id, Instance.cleaned_up_at.is_(None))
    return set(session.scalars(statement))


def delete_instance(session: Session, instance_id: UUID, *, agreed: Agreed | None = None, now: datetime) -> bool:
    """Ends an app for good, at the customer's word: its data goes, and with the last one the subscription ends now,
    by the same refund rule as `cancel_now`; `agreed` is the refund that was shown (None: what is due).

    False, and no change, on a repeat. The slot is freed once the cluster confirms the clean-up. Raises
    `RefundChanged`, `PlanChangeUnderWay`.
    """
    customers = select(Customer).join(Instance, Instance.customer_id == Customer.id).where(Instance.id == instance_id)
    session.scalar(customers.with_for_update(of=Customer, **ROW_LOCK))
    subscription = _locked_of_instance(session, instance_id)
    last, refund = is_last(session, subscription, instance_id), Refund()
    if last:
        refund = end_at_once(session, subscription, EndReason.DELETED, agreed=agreed, now=now)
    elif not instances.fence(session, instance_id, now=now):
        return False
    instance = instances.locked(session, instance_id)
    notices.tell(
        session,
        customer_id=subscription.customer_id,
        code="instance_deleted" if last else "instance_deleted_alone",
        parameters={"app": instance.service_name, "name": instance.name, "amount": refund.amount},
        unique_key=f"instance_deleted:{instance_id}",
        now=now,
        document_id=refund.credit_note_id,
    )
    return True


def is_last(session: Session, subscription: Subscription, instance_id: UUID) -> bool:
    """Whether a live subscription ends with this app. Only who holds the subscription fences its apps."""
    statement = select(Instance.id).where(Instance.subscription_id == subscription.id, Instance.fenced_at.is_(None))
    return subscription.live and session.scalars(statement).all() == [instance_id]


def _locked_of_instance(session: Session, instance_id: UUID) -> Subscription:
    """The instance's subscription, locked before the instance itself, as the lock order wants."""
    subscription_id = session.scalar(select(Instance.subscription_id).where(Instance.id == instance_id))
    statement = select(Subscription).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    subscription = session.scalar(statement.execution_options(populate_existing=True))
    if subscription is None:
        raise SubscriptionNotFound
    return subscription
