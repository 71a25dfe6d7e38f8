"""What ending a subscription at once gives back: one rule for the page that says so and the action that does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.core.money import Money, rupiah
from portal.subscriptions.models import Subscription
from portal.subscriptions.rules.life import Life
from portal.subscriptions.rules.proration import unused_value


class RefundRule(StrEnum):
    """The operator's setting `refund_rule`."""

    PRO_RATA = "pro_rata"
    NONE = "none"


@dataclass(frozen=True)
class Paid:
    """What a charge of the running period took, setup fee apart, and what of it was given back."""

    amount: int
    setup_fee: int
    refunded: int

    @property
    def left(self) -> int:
        return self.amount - self.setup_fee - self.refunded


@dataclass(frozen=True)
class Agreed:
    """A refund as the customer saw it, and when it was worked out: what they confirm is what they get."""

    refund: Money
    quoted_at: datetime

    def __str__(self) -> str:
        """As a form carries it."""
        return f"{self.refund.amount}@{self.quoted_at.isoformat()}"

    @classmethod
    def read(cls, text: str) -> Agreed | None:
        """What a form carried; None when it is none."""
        amount, _, moment = text.partition("@")
        try:
            quoted_at = datetime.fromisoformat(moment)
            refund = rupiah(int(amount))
        except ValueError:
            return None
        return cls(refund, quoted_at) if quoted_at.tzinfo is not None else None

    def still_stands(self, *, now: datetime, for_at_most: timedelta) -> bool:
        """Seen a moment ago: the page may lie open for a while, not for a day; and nobody quotes the future."""
        return now - for_at_most <= self.quoted_at <= now


def refund_due(life: Life | Subscription, paid: Iterable[Paid], *, rule: RefundRule, now: datetime) -> int:
    """Whole rupiah that ending at `now` gives back: the unused share of the period's price, and never more than what
    was paid for it and not given back. Setup fees are not part of it."""
    if rule is RefundRule.NONE:
        return 0
    unused = unused_value(life.price, starts_at=life.period_started_at, ends_at=life.period_ends_at, now=now)
    return min(unused, max(sum(one.left for one in paid), 0))
