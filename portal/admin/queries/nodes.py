"""Reads of nodes, for the operator: the list, who is on a node, how long a move takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog.models import Plan
from portal.instances.models import Instance, InstanceEvent
from portal.nodes import queries as nodes
from portal.nodes.models import Node
from portal.subscriptions.models import Subscription
from portal.web.listings import Listing

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
BEGINNINGS = ("provisioning_started", "start_requested", "restart_requested", "resumed", "variables_saved")


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted; None means everything."""

    search: str | None = None
    status: str | None = None
    online: bool | None = None


def listing(wanted: Wanted, *, now: datetime) -> Listing:
    """Nodes with how they stand at `now` and how many apps they hold."""
    held = nodes.apps_per_node()
    status, online = nodes.status(now), nodes.online(now)
    apps: Any = sa.func.coalesce(held.c.apps, 0)
    statement: sa.Select[Any] = (
        sa.select(Node, apps.label("apps"), status.label("status"), online.label("online"))
        .outerjoin(held, held.c.node_name == Node.name)
        .where(*_conditions(wanted, status, online))
    )
    sorts = {"name": Node.name, "apps": apps, "heard": sa.func.coalesce(Node.last_heartbeat_at, LONG_AGO)}
    return Listing(statement, Node.id, sorts, default="name")


def _conditions(wanted: Wanted, status: Any, online: Any) -> list[Any]:
    conditions: list[Any] = []
    if wanted.search:
        conditions.append(Node.name.contains(wanted.search.strip().lower(), autoescape=True))
    if wanted.status:
        conditions.append(status == wanted.status)
    if wanted.online is not None:
        conditions.append(online if wanted.online else ~online)
    return conditions


@dataclass(frozen=True)
class AppHere:
    """An app of ours, for a line about it."""

    id: UUID
    name: str
    service: str
    state: str
    customer: str
    plan: str


def apps(session: Session, ids: Iterable[UUID]) -> dict[UUID, AppHere]:
    """Each app by its id, with its customer's address and its plan."""
    statement = (
        sa.select(
            Instance.id, Instance.name, Instance.service_name.label("service"), Instance.state,
            Customer.billing_email.label("customer"), sa.func.coalesce(Plan.name, "").label("plan"),
        )
        .join(Customer, Customer.id == Instance.customer_id)
        .outerjoin(Subscription, Subscription.id == Instance.subscription_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(Instance.id.in_(list(ids)))
    )  # fmt: skip
    return {row.id: AppHere(*row) for row in session.execute(statement)}


def start_times(session: Session, ids: Iterable[UUID]) -> Mapping[UUID, timedelta]:
    """How long each app's last start took, from asking to answering: what a move would cost it about."""
    roll_out = sa.func.split_part(InstanceEvent.unique_key, ":", 1)
    begun = sa.func.min(InstanceEvent.happened_at).filter(InstanceEvent.code.in_(BEGINNINGS))
    ready = sa.func.max(InstanceEvent.happened_at).filter(InstanceEvent.code == "ready")
    statement = (
        sa.select(InstanceEvent.instance_id, begun.label("begun"), ready.label("ready"))
        .where(InstanceEvent.instance_id.in_(list(ids)), InstanceEvent.code.in_((*BEGINNINGS, "ready")))
        .group_by(InstanceEvent.instance_id, roll_out)
        .having(begun.is_not(None), ready.is_not(None))
        .order_by(ready)
    )
    return {row.instance_id: row.ready - row.begun for row in session.execute(statement)}


def names(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What nodes are called, for a preview."""
    return {row.id: row.name for row in session.execute(sa.select(Node.id, Node.name).where(Node.id.in_(ids)))}
