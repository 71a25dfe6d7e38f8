"""Imports every table, for migrations and for tests that look at the whole schema."""

from portal.accounts import models as accounts
from portal.alerts import models as alerts
from portal.audit import models as audit
from portal.books import models as books
from portal.catalog import models as catalog
from portal.core import job_runs, outbox, switches
from portal.imports import models as imports
from portal.insights import models as insights
from portal.instances import models as instances
from portal.invoices import models as invoices
from portal.nodes import models as nodes
from portal.notices import models as notices
from portal.payments import models as payments
from portal.promotions import models as promotions
from portal.subscriptions import models as subscriptions
from portal.transfers import models as transfers
from portal.wallet import models as wallet

__all__ = [
    "accounts",
    "alerts",
    "audit",
    "books",
    "catalog",
    "imports",
    "insights",
    "instances",
    "invoices",
    "job_runs",
    "nodes",
    "notices",
    "outbox",
    "payments",
    "promotions",
    "subscriptions",
    "switches",
    "transfers",
    "wallet",
]  # fmt: skip
