"""The verbs of subscriptions: subscribe in one transaction, undo it when provisioning fails, keep it going, end it."""

from portal.subscriptions.actions.apps import (
    add_instance,
    confirm_clean_up,
    delete_instance,
    fail_provisioning,
    instances_present,
    is_last,
)
from portal.subscriptions.actions.cancelling import (
    cancel_now,
    refund_now,
    request_cancellation,
    set_auto_renew,
    set_order,
    undo_cancellation,
)
from portal.subscriptions.actions.resuming import first_fee, price_now, resume, wait_to_resume
from portal.subscriptions.actions.subscribing import Purchase, live_subscription, sold_plan, subscribe
from portal.subscriptions.actions.taking_over import Running, take_over
from portal.subscriptions.actions.under_way import change_under_way, forgotten, refuse_during_change

__all__ = [
    "Purchase", "Running", "add_instance", "cancel_now", "change_under_way", "confirm_clean_up", "delete_instance",
    "fail_provisioning", "first_fee", "forgotten", "instances_present", "is_last", "live_subscription", "price_now",
    "refund_now", "refuse_during_change", "request_cancellation", "resume", "set_auto_renew", "set_order",
    "sold_plan", "subscribe", "take_over", "undo_cancellation", "wait_to_resume",
]  # fmt: skip
