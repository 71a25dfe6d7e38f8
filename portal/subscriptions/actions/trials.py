"""Trials: who may have one, noting who had one, and giving it back when the fault was ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.accounts.models import Membership, MembershipRole, User
from portal.core.crypto import digest
from portal.subscriptions.errors import TrialNeedsEmail, TrialUsed
from portal.subscriptions.models import EndReason, Subscription, TrialClaim
from portal.subscriptions.rules.trials import TrialStanding, identities, trial_standing


def standing_of(session: Session, customer_id: UUID, service_id: UUID, people: Sequence[User]) -> TrialStanding:
    """Whether a customer, for whom `people` speak, may try a service for free; one query."""
    claimed = exists().where(TrialClaim.service_id == service_id, TrialClaim.identity_digest.in_(_digests(people)))
    had_before = bool(session.scalar(select(or_(claimed, _had_it(customer_id, service_id)))))
    return trial_standing(verified=_verified(people), had_before=had_before)


def refuse_trial(session: Session, customer_id: UUID, service_id: UUID) -> None:
    """Raises `TrialUsed` or `TrialNeedsEmail`; nothing when the customer may try the service for free."""
    standing = standing_of(session, customer_id, service_id, _owners(session, customer_id))
    if standing is TrialStanding.USED:
        raise TrialUsed
    if standing is TrialStanding.UNVERIFIED:
        raise TrialNeedsEmail


def claim(session: Session, subscription: Subscription, *, now: datetime) -> None:
    """Notes who has the trial; raises `TrialUsed` when somebody with the same address or number was faster."""
    # In one order, so that two who share an address and a number wait for each other instead of for ever.
    rows = [
        {
            "service_id": subscription.service_id,
            "identity_digest": identity,
            "subscription_id": subscription.id,
            "claimed_at": now,
        }
        for identity in sorted(_digests(_owners(session, subscription.customer_id)))
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


def _owners(session: Session, customer_id: UUID) -> Sequence[User]:
    statement = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.customer_id == customer_id, Membership.role == MembershipRole.OWNER)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _digests(people: Sequence[User]) -> set[str]:
    return {digest(identity) for person in people for identity in identities(person.email, person.phone)}


def _verified(people: Sequence[User]) -> bool:
    return bool(people) and all(person.email_verified_at is not None for person in people)
