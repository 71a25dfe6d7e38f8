"""From a kind of thing and its id to the page that shows it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from portal.core.ids import parse_id

PAGES: dict[str, tuple[str, str]] = {
    # kind             page                          its only argument
    "user":           ("admin_users.show",           "user_id"),
    "customer":       ("admin_users.show_customer",  "customer_id"),
    "subscription":   ("admin_subscriptions.show",   "subscription_id"),
    "instance":       ("admin_instances.show",       "instance_id"),
    "domain":         ("admin_instances.show",       "instance_id"),
    "service":        ("admin_services.show",        "slug"),
    "plan":           ("admin_quota.show",           "plan_id"),
    "promo_code":     ("admin_promo_codes.show",     "promo_id"),
    "payment":        ("admin_payments.show",        "payment_id"),
    "transfer":       ("admin_transfers.show",       "payment_id"),
    "adjustment":     ("admin_adjustments.show",     "request_id"),
    "document":       ("admin_invoices.show",        "document_id"),
    "entry":          ("admin_ledger.show",          "entry_id"),
    "event":          ("admin_gateway_events.show",  "event_id"),
    "gateway_event":  ("admin_gateway_events.show",  "event_id"),
    "node":           ("admin_nodes.show",           "reference"),
    "work":           ("admin_jobs.show",            "message_id"),
    "schedule":       ("admin_jobs.entry",           "name"),
    "alert":          ("admin_alerts.show",          "alert_id"),
}  # fmt: skip


def address_of(kind: str, identity: str | UUID) -> str | None:
    """Where a thing is shown; None for what has no page, and for an id that is none."""
    endpoint, argument = PAGES.get(kind, ("", ""))
    if not endpoint or (argument.endswith("_id") and parse_id(str(identity)) is None):
        return None
    values: dict[str, Any] = {argument: identity}
    return url_for(endpoint, **values)
