"""What a purchase would cost, what stands in its way, and whether one more app may run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.core.money import Money
from portal.subscriptions.models import HOLDS_SLOT


class Obstacle(StrEnum):
    """Why a purchase cannot go through right now, in the order in which it matters to the customer."""

    DUPLICATE = "DUPLICATE"
    SOLD_OUT = "SOLD_OUT"
    SHORT_OF_CREDIT = "SHORT_OF_CREDIT"


@dataclass(frozen=True)
class Quote:
    """What a subscription costs now, and what it leaves. The quoted total is the charged total."""

    price: Money
    setup_fee: Money
    ppn: Money  # contained in the total
    balance: Money
    period_ends_at: datetime

    @property
    def total(self) -> Money:
        return self.price + self.setup_fee

    @property
    def balance_after(self) -> Money:
        return self.balance - self.total

    @property
    def shortfall(self) -> Money:
        return max(self.total - self.balance, Money(0, self.total.currency))


def obstacle(quote: Quote, *, slots_available: int, has_live_one: bool) -> Obstacle | None:
    """The first thing that stands between the customer and the app; None when the purchase may go through."""
    if has_live_one:
        return Obstacle.DUPLICATE
    if slots_available <= 0:
        return Obstacle.SOLD_OUT
    if quote.shortfall:
        return Obstacle.SHORT_OF_CREDIT
    return None


def top_up_for(shortfall: Money, *, smallest: Money) -> Money:
    """What *pay and launch* asks for: the shortfall, or the smallest top-up when that is less."""
    return max(shortfall, smallest)


def may_add_instance(status: str, *, present: int, most: int) -> bool:
    """May one more app run under this subscription?"""
    return status in HOLDS_SLOT and present < most
