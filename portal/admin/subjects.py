"""From the subject of an audit entry to its page, as far as this build of the portal has one."""

from __future__ import annotations

from typing import Any

from flask import current_app, url_for
from werkzeug.routing import BuildError

from portal.core.ids import parse_id

PAGES = {
    "user": "admin_users.show",
    "customer": "admin_users.show_customer",
    "subscription": "admin_subscriptions.show",
    "instance": "admin_instances.show",
    "service": "admin_services.show",
    "plan": "admin_quota.show",
    "promo_code": "admin_promo_codes.show",
    "payment": "admin_payments.show",
    "transfer": "admin_transfers.show",
    "adjustment": "admin_adjustments.show",
    "document": "admin_invoices.show",
    "node": "admin_nodes.show",
    "work": "admin_jobs.show",
    "schedule": "admin_jobs.entry",
    "alert": "admin_alerts.show",
}


BY_NAME = ("schedule", "node")
"""Kinds whose pages are found by a name; the others by an id alone."""


def address_of(kind: str, identity: str) -> str | None:
    """Where a subject is shown; None for what has no page. The page takes the id as its only argument."""
    endpoint = PAGES.get(kind)
    if endpoint is None or endpoint not in current_app.view_functions:
        return None
    if kind not in BY_NAME and parse_id(identity) is None:
        return None
    names = {name for rule in current_app.url_map.iter_rules(endpoint) for name in rule.arguments}
    if len(names) != 1:
        return None
    try:
        values: dict[str, Any] = {names.pop(): identity}
        return url_for(endpoint, **values)
    except (BuildError, ValueError):
        return None
