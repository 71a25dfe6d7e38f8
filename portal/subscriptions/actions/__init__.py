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
from portal.subscriptions.actions.subscribing import Purchase, live_subscription, sold_plan, subscribe

__all__ = [
    "Purchase", "add_instance", "cancel_now", "confirm_clean_up", "delete_instance", "fail_provisioning",
    "instances_present", "is_last", "live_subscription", "refund_now", "request_cancellation", "set_auto_renew",
    "set_order", "sold_plan", "subscribe", "undo_cancellation",
]  # fmt: skip
