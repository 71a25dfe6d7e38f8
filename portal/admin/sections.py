"""The sections of the operator's side, in the order of its navigation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Section:
    """A page that the navigation leads to; `blueprint` is current on every page of its section."""

    endpoint: str
    icon: str
    label: Any

    @property
    def blueprint(self) -> str:
        return self.endpoint.split(".")[0]


GROUPS: list[tuple[Any, list[Section]]] = [
    ("", [
        Section("admin_home.overview", "layout-dashboard", _l("Overview")),
        Section("admin_analytics.overview", "chart-line", _l("Analytics")),
    ]),
    (_l("Customers"), [
        Section("admin_users.listing", "users", _l("Users")),
        Section("admin_subscriptions.listing", "repeat", _l("Subscriptions")),
        Section("admin_instances.listing", "apps", _l("Apps that run")),
    ]),
    (_l("Catalog"), [
        Section("admin_services.listing", "building-store", _l("Services and plans")),
        Section("admin_quota.listing", "stack-2", _l("Quota and waitlists")),
        Section("admin_promo_codes.listing", "gift", _l("Promo codes")),
        Section("admin_app_templates.listing", "template", _l("App templates")),
    ]),
    (_l("Money"), [
        Section("admin_payments.listing", "credit-card", _l("Top-ups")),
        Section("admin_transfers.listing", "building-bank", _l("Bank transfers")),
        Section("admin_adjustments.listing", "adjustments", _l("Adjustments")),
        Section("admin_invoices.listing", "file-invoice", _l("Invoices")),
        Section("admin_ledger.listing", "book-2", _l("Ledger")),
        Section("admin_books.overview", "scale", _l("Books and reconciliation")),
    ]),
    (_l("Operation"), [
        Section("admin_nodes.listing", "server", _l("Nodes")),
        Section("admin_jobs.overview", "clock-play", _l("Jobs and outbox")),
        Section("admin_gateway_events.listing", "webhook", _l("Gateway events")),
        Section("admin_alerts.listing", "bell-ringing", _l("Alerts")),
        Section("admin_audit.listing", "list-search", _l("Audit log")),
        Section("admin_switches.show", "toggle-left", _l("Switches")),
    ]),
]  # fmt: skip
