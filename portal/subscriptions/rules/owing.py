"""What waits for credit, and how much of it is missing: for the pages that ask for a top-up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal.subscriptions.models import Subscription, SubscriptionStatus
from portal.subscriptions.rules.life import amount_due, life_of, may_resume_by_itself, price_from
from portal.subscriptions.rules.runway import order_of


@dataclass(frozen=True)
class Owing:
    """A subscription that takes `amount` rupiah as soon as it is there."""

    id: UUID
    amount: int


def owing(subscriptions: Iterable[Subscription], *, now: datetime) -> list[Owing]:
    """What credit that arrives pays by itself, in the order in which it does."""
    taking = [one for one in subscriptions if _takes_credit(one)]
    return [Owing(one.id, _amount(one, now=now)) for one in sorted(taking, key=order_of)]


def missing_for(wanted: Owing, waiting: Iterable[Owing], *, balance: int) -> int:
    """Rupiah to top up so that `wanted` is paid after all that one credit pays before it."""
    needed = 0
    for one in waiting:
        if one.id == wanted.id:
            break
        needed += one.amount
    return max(needed + wanted.amount - balance, 0)


def _takes_credit(one: Subscription) -> bool:
    overdue = one.status == SubscriptionStatus.PAST_DUE and one.auto_renew and one.cancel_requested_at is None
    return overdue or may_resume_by_itself(one)


def _amount(one: Subscription, *, now: datetime) -> int:
    life = life_of(one)
    return price_from(life, now) if life.status == SubscriptionStatus.SUSPENDED else amount_due(life)
