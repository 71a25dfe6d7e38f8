"""The verbs of subscriptions: subscribe in one transaction, undo it when provisioning fails, end it."""

from portal.subscriptions.actions.apps import (
    add_instance,
    confirm_clean_up,
    delete_instance,
    fail_provisioning,
    instances_present,
)
from portal.subscriptions.actions.subscribing import Purchase, live_subscription, sold_plan, subscribe

__all__ = [
    "Purchase",
    "add_instance",
    "confirm_clean_up",
    "delete_instance",
    "fail_provisioning",
    "instances_present",
    "live_subscription",
    "sold_plan",
    "subscribe",
]
