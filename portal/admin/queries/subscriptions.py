"""Reads of subscriptions, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from portal.accounts.models import Customer
from portal.admin.queries import customers
from portal.audit.models import AuditEntry
from portal.catalog.models import Plan, Service
from portal.core.errors import NotFound
from portal.core.ids import parse_id
from portal.core.money import Money
from portal.instances.models import Instance
from portal.subscriptions import standing
from portal.subscriptions.actions import renewing
from portal.subscriptions.models import PlanChange, RenewalAttempt, Subscription
from portal.subscriptions.queries import ChargeLine, charges_of
from portal.subscriptions.rules import choices
from portal.subscriptions.rules.refunds import Agreed
from portal.wallet import queries as wallet
from portal.web.listings import Listing

SHOWN_MAX = 50


def listing(conditions: Sequence[Any]) -> Listing:
    """Subscriptions with whose they are, and of what."""
    statement: Any = (
        sa.select(Subscription, Service.name.label("service"), Plan.name.label("plan"), *customers.columns())
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Service, Service.id == Subscription.service_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(*conditions)
    )
    sorts = {"created": Subscription.created_at, "ends": Subscription.period_ends_at}
    return Listing(statement, Subscription.id, sorts, default="-created")


def searched(session: Session, text: str) -> list[Any]:
    """Conditions for a subscription's id, or whose it is."""
    if not text:
        return []
    wanted = parse_id(text)
    if wanted:
        return [Subscription.id == wanted]
    return [Subscription.customer_id.in_(customers.ids_of(session, text))]


def services(session: Session) -> list[tuple[str, str]]:
    """What can be chosen in the filter."""
    rows = session.execute(sa.select(Service.id, Service.name).order_by(Service.name))
    return [(str(row.id), row.name) for row in rows]


@dataclass(frozen=True)
class SubscriptionPage:
    """A subscription's whole life, and what may be done to it now."""

    subscription: Subscription  # with plan and service
    whose: Any
    credit: Money
    charges: list[ChargeLine]
    attempts: list[RenewalAttempt]
    changes: list[PlanChange]
    instances: list[Instance]
    notes: list[AuditEntry]
    agreed: Agreed  # what ending it now gives back
    owes: bool

    @property
    def can(self) -> dict[str, bool]:
        """Which buttons to draw: the rules that the actions enforce."""
        one = self.subscription
        return {
            "cancel": choices.can_cancel(one) and one.cancel_requested_at is None,
            "undo": choices.can_undo(one),
            "cancel_now": choices.can_cancel_now(one),
            "charge": self.owes,
        }


def subscription_page(session: Session, subscription_id: UUID, *, now: datetime) -> SubscriptionPage:
    """One subscription; raises `NotFound`."""
    options = joinedload(Subscription.plan), joinedload(Subscription.service)
    statement = sa.select(Subscription).options(*options).where(Subscription.id == subscription_id)
    one = session.scalar(statement.execution_options(populate_existing=True))
    if one is None:
        raise NotFound
    is_due = one.due_at is not None and one.due_at <= now
    return SubscriptionPage(
        subscription=one,
        whose=customers.whose(session, one.customer_id),
        credit=wallet.available(session, one.customer_id),
        charges=charges_of(session, subscription_id),
        attempts=_newest(session, RenewalAttempt, RenewalAttempt.attempted_at, subscription_id),
        changes=_changes(session, subscription_id),
        instances=_newest(session, Instance, Instance.created_at, subscription_id),
        notes=_notes(session, subscription_id),
        agreed=standing.refund_offered(session, one, now=now),
        owes=is_due or subscription_id in renewing.owing(session, one.customer_id),
    )


def _newest(session: Session, model: Any, moment: Any, subscription_id: UUID) -> list[Any]:
    statement = sa.select(model).where(model.subscription_id == subscription_id)
    return list(session.scalars(statement.order_by(moment.desc(), model.id.desc()).limit(SHOWN_MAX)))


def _changes(session: Session, subscription_id: UUID) -> list[PlanChange]:
    statement = (
        sa.select(PlanChange)
        .options(joinedload(PlanChange.from_plan), joinedload(PlanChange.to_plan))
        .where(PlanChange.subscription_id == subscription_id, PlanChange.confirmed_at.is_not(None))
    )
    return list(session.scalars(statement.order_by(PlanChange.quoted_at.desc()).limit(SHOWN_MAX)))


def _notes(session: Session, subscription_id: UUID) -> list[AuditEntry]:
    about = AuditEntry.subject_kind == "subscription", AuditEntry.subject_id == str(subscription_id)
    statement = sa.select(AuditEntry).where(*about).order_by(AuditEntry.happened_at.desc())
    return list(session.scalars(statement.limit(SHOWN_MAX)))
