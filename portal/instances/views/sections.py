"""What the pages beside an app's main page are given: version, variables, domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import settings
from portal.catalog.models import Plan
from portal.instances import hosts, queries, rules, wanted, wording
from portal.instances.models import Instance, InstanceDomain
from portal.instances.views import pages
from portal.subscriptions.models import Subscription


@dataclass(frozen=True)
class Record:
    """A DNS record to set, as the fields of a provider's form."""

    kind: str
    name: str
    value: str


def section(instance: Instance) -> dict[str, Any]:
    """What the head of every such page needs."""
    return {"instance": instance, "can": pages.permissions(instance)}


def version_page(instance: Instance) -> dict[str, Any]:
    """The version that runs, the one offered, and how the last try went. Needs `events` loaded."""
    app, update = pages.template_of(instance), pages.offered_update(instance)
    tries = [event for event in instance.events if event.code == "update_failed"]
    failed = tries[-1] if tries and update and tries[-1].parameters.get("version") == update.version else None
    return {
        **section(instance),
        "app": app,
        "update": update,
        "under_way": rules.is_updating(instance),
        "failed": failed,
        "why": wording.reason(failed.parameters.get("reason")) if failed else "",
        "limit_minutes": max(1, settings().update_timeout_s // 60),
    }


def domains_page(session: Session, instance: Instance) -> dict[str, Any]:
    """The app's own domains, each with the records to set and what the last look missed."""
    rows = [
        {"domain": one, "records": _records(instance, one), "problem": wording.domain_problem(one)}
        for one in queries.domains_of(session, instance.id)
    ]
    most = domains_max(session, instance)
    return {
        **section(instance),
        "rows": rows,
        "domains_max": most,
        "has_room": len(rows) < most,
        "address": wanted.address_of(instance.name),
        "grace_days": settings().domain_grace_days,
        "subscription_id": instance.subscription_id,
    }


def domains_max(session: Session, instance: Instance) -> int:
    """How many domains the plan of the instance has."""
    plan = select(Plan.max_domains).join(Subscription, Subscription.plan_id == Plan.id)
    return session.scalar(plan.where(Subscription.id == instance.subscription_id)) or 0


def _records(instance: Instance, domain: InstanceDomain) -> Sequence[Record]:
    """The proof, and the way: a CNAME, or addresses for a bare domain where the operator has named them."""
    proof = Record("TXT", f"{hosts.CHALLENGE}.{domain.host}", domain.token)
    addresses = [part.strip() for part in settings().domains_addresses.split(",") if part.strip()]
    if hosts.is_bare(domain.host) and addresses:
        return [proof, *(Record("AAAA" if ":" in one else "A", domain.host, one) for one in addresses)]
    return [proof, Record("CNAME", domain.host, wanted.host_of(instance.name))]
