"""Trials: who may have one, noting who had one, and giving it back when the fault was ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.accounts.identities import all_verified, digests, owners
from portal.accounts.models import User
from portal.subscriptions.errors import TrialNeedsEmail, TrialUsed
from portal.subscriptions.models import EndReason, Subscription, TrialClaim
from portal.subscriptions.rules.trials import TrialStanding, trial_standing


def standing_of(session: Session, customer_id: UUID, service_id: UUID, people: Sequence[User]) -> TrialStanding:
    """Whether a customer, for whom `people` speak, may try a service for free; one query."""
    claimed = exists().where(TrialClaim.service_id == service_id, TrialClaim.identity_digest.in_(digests(people)))
    had_before = bool(session.scalar(select(or_(claimed, _had_it(customer_id, service_id)))))
    return trial_standing(verified=all_verified(people), had_before=had_before)


def refuse_trial(session: Session, customer_id: UUID, service_id: UUID) -> None:
    """Raises `TrialUsed` or `TrialNeedsEmail`; nothing when the customer may try the service for free."""
    standing = standing_of(session, customer_id, service_id, owners(session, customer_id))
    if standing is TrialStanding.USED:
        raise TrialUsed
    if standing is TrialStanding.UNVERIFIED:
        raise TrialNeedsEmail


def claim(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """Notes who has the trial; raises `TrialUsed` when somebody with the same address or number was faster."""
    rows = [
        {
            "service_id": subscription.service_id,
            "identity_digest": identity,
            "subscription_id": subscription.id,
            "claimed_at": now,
        }
        for identity in digests(owners(session, subscription.customer_id))
    ]
    statement = upsert(TrialClaim).values(rows).on_conflict_do_nothing().returning(TrialClaim.identity_digest)
    if len(session.scalars(statement).all()) < len(rows):
        raise TrialUsed


def give_back(session: Session, subscription_id: UUID) -> None:
    """An app that never came up was no trial."""
    session.execute(delete(TrialClaim).where(TrialClaim.subscription_id == subscription_id))


def _had_it(customer_id: UUID, service_id: UUID) -> ColumnElement[bool]:
    return exists().where(
        Subscription.customer_id == customer_id,
        Subscription.service_id == service_id,
        Subscription.end_reason.is_distinct_from(EndReason.PROVISIONING_FAILED),
    )
