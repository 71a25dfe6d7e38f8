"""Every blueprint and where it answers, in one line each. What is not listed here does not exist."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

SITEMAP: list[tuple[str, str]] = [
    # package                      URL prefix
    ("portal.web.views", ""),  # home, language, help, robots, sitemap
    ("portal.web.health", ""),  # /healthz /readyz /metrics
    ("portal.accounts.views", ""),  # /register /sign-in /reset …, /profile /security
    ("portal.catalog.views", "/catalog"),
    ("portal.dashboard.views", "/dashboard"),
    ("portal.wallet.views", "/wallet"),
    ("portal.promotions.views", "/promo-codes"),
    ("portal.payments.views", "/top-ups"),
    ("portal.payments.webhooks", "/webhooks"),
    ("portal.transfers.views", "/transfers"),
    ("portal.nodes.webhooks", "/nodes"),
    ("portal.invoices.views", "/invoices"),
    ("portal.imports.views", "/invoices/before"),  # of the time before MinisPod
    ("portal.subscriptions.views", "/subscriptions"),
    ("portal.instances.views", "/instances"),
    ("portal.notices.views", "/notices"),
    ("portal.notices.views.samples", "/dev"),  # not in production
    ("portal.admin.views.home", "/admin"),
    ("portal.admin.views.users", "/admin/users"),
    ("portal.admin.views.transfers", "/admin/transfers"),
    ("portal.admin.views.billing", "/admin/customers"),
    ("portal.admin.views.adjustments", "/admin/adjustments"),
    ("portal.admin.views.payments", "/admin/top-ups"),
    ("portal.admin.views.gateway_events", "/admin/gateway-events"),
    ("portal.admin.views.ledger", "/admin/ledger"),
    ("portal.admin.views.invoices", "/admin/invoices"),
    ("portal.admin.views.subscriptions", "/admin/subscriptions"),
    ("portal.admin.views.books", "/admin/books"),
    ("portal.admin.views.analytics", "/admin/analytics"),
    ("portal.admin.views.search", "/admin/search"),
    ("portal.admin.views.instances", "/admin/instances"),
    ("portal.admin.views.nodes", "/admin/nodes"),
    ("portal.admin.views.plans", "/admin/services"),  # and the services they belong to
    ("portal.admin.views.quota", "/admin/quota"),
    ("portal.admin.views.promo_codes", "/admin/promo-codes"),
    ("portal.admin.views.app_templates", "/admin/app-templates"),
    ("portal.admin.views.switches", "/admin/switches"),
    ("portal.admin.views.jobs", "/admin/jobs"),
    ("portal.admin.views.audit", "/admin/audit"),
    ("portal.admin.views.alerts", "/admin/alerts"),
]

COMMANDS: list[str] = [
    "portal.catalog.commands",
    "portal.books.commands",
    "portal.books.commands:backup_commands",
    "portal.accounts.commands",
    "portal.core.commands",
    "portal.core.commands:outbox_commands",
    "portal.core.commands:job_commands",
    "portal.instances.commands",
    "portal.insights.commands",
    "portal.dashboard.commands",
    "portal.subscriptions.commands",
    "portal.admin.commands:seed",
    "portal.imports.commands",
]
"""Modules with a click group named `commands` (or as said): `flask catalog`, `flask books`, `flask accounts`, …"""


def register(app: Flask) -> None:
    """Mounts every blueprint (`blueprint` in each module) and command group (`commands`)."""
    for module, prefix in SITEMAP:
        app.register_blueprint(import_module(module).blueprint, url_prefix=prefix or None)
    for place in COMMANDS:
        module, _, name = place.partition(":")
        app.cli.add_command(getattr(import_module(module), name or "commands"))
