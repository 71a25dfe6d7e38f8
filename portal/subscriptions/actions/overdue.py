"""Overdue invoices: those of subscriptions in grace. An invoice itself is made when it is paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from portal.core import clock
from portal.notices import actions as notices
from portal.notices.actions import Telling
from portal.subscriptions.actions import reminding
from portal.subscriptions.models import RenewalAttempt, Subscription, SubscriptionStatus
from portal.subscriptions.rules.life import amount_due, life_of
from portal.wallet.models import AccountKind, LedgerAccount

BATCH = 200


@dataclass(frozen=True)
class Batch:
    """Some subscriptions in grace, up to `last_id`."""

    last_id: UUID
    counts: dict[str, int]


def remind(session: Session, after: UUID | None, *, now: datetime) -> Batch | None:
    """Reminds the next customers in grace, by subscription id behind `after`; None when there are no more.

    The reminder is the one that goes with the day's retry, under its key: whichever comes first is told. A subscription
    that was tried today has been told so, and one whose credit suffices is about to be paid.
    """
    found = _in_grace(session, after)
    if not found:
        return None
    owed = {each.id: amount_due(life_of(each), setup_fee=each.plan.setup_fee) for each in found}
    credit = _credit(session, {each.customer_id for each in found})
    tried = _tried_today(session, set(owed), now=now)
    tellings: list[Telling] = []
    for each in found:
        missing = owed[each.id] - credit.get(each.customer_id, 0)
        if each.id not in tried and missing > 0 and each.grace_ends_at is not None:
            until = each.grace_ends_at
            tellings.append(reminding.still_due(each, owed[each.id], missing, until=until, now=now))
    told = notices.tell_all(session, tellings, now=now)
    counts = {"overdue": len(found), "overdue_sum": sum(owed.values()), "reminded": told}
    return Batch(found[-1].id, counts)


def _in_grace(session: Session, after: UUID | None) -> list[Subscription]:
    statement = (
        select(Subscription)
        .options(joinedload(Subscription.plan), joinedload(Subscription.service))
        .where(Subscription.status == SubscriptionStatus.PAST_DUE)
        .order_by(Subscription.id)
        .limit(BATCH)
    )
    return list(session.scalars(statement.where(Subscription.id > after) if after else statement))


def _tried_today(session: Session, ids: set[UUID], *, now: datetime) -> set[UUID]:
    midnight = datetime.combine(clock.today(now), time(0), clock.JAKARTA)
    today = exists().where(RenewalAttempt.subscription_id == Subscription.id, RenewalAttempt.attempted_at >= midnight)
    return set(session.scalars(select(Subscription.id).where(Subscription.id.in_(ids), today)))


def _credit(session: Session, customer_ids: set[UUID]) -> dict[UUID, int]:
    statement = select(LedgerAccount.customer_id, LedgerAccount.balance).where(
        LedgerAccount.customer_id.in_(customer_ids), LedgerAccount.kind == AccountKind.AVAILABLE
    )
    return {customer_id: balance for customer_id, balance in session.execute(statement) if customer_id}
