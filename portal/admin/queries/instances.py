"""Reads of apps that run, for the operator: the list, one app's surroundings, what the comparison found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog.models import Plan
from portal.instances.models import ClusterDrift, Instance
from portal.nodes.models import NodeApp, VolumeUse
from portal.subscriptions.models import Subscription
from portal.web.listings import Listing

OPEN = ClusterDrift.resolved_at.is_(None)


@dataclass(frozen=True)
class Wanted:
    """What of the list is wanted; None means everything."""

    search: str | None = None
    state: str | None = None
    node: str | None = None
    differs: bool | None = None
    gone: bool = False


def listing(wanted: Wanted) -> Listing:
    """Apps with their customer, plan, place and the differences that the hourly comparison found."""
    placed, differing = _placed(), _differing()
    count: Any = sa.func.coalesce(differing.c.differences, 0)
    statement: sa.Select[Any] = (
        sa.select(
            Instance, Customer.billing_email.label("customer"), Plan.name.label("plan"), placed.c.node_name,
            placed.c.ready, placed.c.restarts, count.label("differences"),
        )
        .join(Customer, Customer.id == Instance.customer_id)
        .outerjoin(Subscription, Subscription.id == Instance.subscription_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .outerjoin(placed, placed.c.instance_id == Instance.id)
        .outerjoin(differing, differing.c.instance_id == Instance.id)
        .where(*_conditions(wanted, count))
    )  # fmt: skip
    return Listing(statement, Instance.id, {"created": Instance.created_at, "name": Instance.name}, default="-created")


def _placed() -> sa.Subquery:
    """One row per app, whatever the number of its pods."""
    return (
        sa.select(
            NodeApp.instance_id, sa.func.min(NodeApp.node_name).label("node_name"),
            sa.func.bool_or(NodeApp.ready).label("ready"), sa.func.sum(NodeApp.restarts).label("restarts"),
        )
        .group_by(NodeApp.instance_id)
        .subquery()
    )  # fmt: skip


def _differing() -> sa.Subquery:
    return (
        sa.select(ClusterDrift.instance_id, sa.func.count().label("differences"))
        .where(OPEN)
        .group_by(ClusterDrift.instance_id)
        .subquery()
    )


def _conditions(wanted: Wanted, count: Any) -> list[Any]:
    conditions: list[Any] = []
    if wanted.search:
        text = wanted.search.strip().lower()
        conditions.append(
            sa.or_(
                Instance.name.contains(text, autoescape=True),
                Instance.namespace.contains(text, autoescape=True),
                Customer.billing_email.contains(text, autoescape=True),
            )
        )
    if wanted.state:
        conditions.append(Instance.state == wanted.state)
    if wanted.node:
        here = sa.select(NodeApp.instance_id).where(NodeApp.node_name == wanted.node)
        conditions.append(Instance.id.in_(here))
    if wanted.differs is not None:
        conditions.append(count > 0 if wanted.differs else count == 0)
    if not wanted.gone:
        conditions.append(Instance.cleaned_up_at.is_(None))
    return conditions


def orphans(session: Session, *, limit: int = 20) -> Sequence[ClusterDrift]:
    """What the cluster has and no app of the database wants, oldest first."""
    known = sa.exists().where(Instance.id == ClusterDrift.instance_id, Instance.cleaned_up_at.is_(None))
    statement = sa.select(ClusterDrift).where(OPEN, ~known).order_by(ClusterDrift.found_at).limit(limit)
    return session.scalars(statement).all()


def differences(session: Session, instance_id: UUID) -> Sequence[ClusterDrift]:
    """What the hourly comparison found of one app and has not seen end, oldest first."""
    statement = sa.select(ClusterDrift).where(OPEN, ClusterDrift.instance_id == instance_id)
    return session.scalars(statement.order_by(ClusterDrift.found_at)).all()


def surroundings(session: Session, instance: Instance) -> dict[str, Any]:
    """Whose it is, what was sold, where it runs and how full its volume is."""
    volume = (
        sa.select(VolumeUse).where(VolumeUse.instance_id == instance.id).order_by(VolumeUse.measured_at.desc()).limit(1)
    )
    sold = (
        sa.select(Customer, Subscription, Plan)
        .select_from(Customer)
        .outerjoin(Subscription, Subscription.id == instance.subscription_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(Customer.id == instance.customer_id)
    )
    customer, subscription, plan = session.execute(sold).one()
    return {
        "customer": customer, "subscription": subscription, "plan": plan, "volume": session.scalar(volume),
        "pods": session.scalars(sa.select(NodeApp).where(NodeApp.instance_id == instance.id)).all(),
        "differences": differences(session, instance.id),
    }  # fmt: skip
