"""What a new price of the catalog means for a subscription that runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class News(StrEnum):
    """What the customer is told, by the notice's code."""

    DEARER = "price_announced"
    CHEAPER = "price_lowered"
    KEPT = "price_kept"  # what was announced does not come


@dataclass(frozen=True)
class Announcement:
    """The price to come and from when; None: the price it has stays."""

    news: News
    next_price: int | None
    next_price_from: datetime | None


def announcement(
    price: int,
    next_price: int | None,
    next_price_from: datetime | None,
    *,
    new_price: int,
    now: datetime,
    notice: timedelta,
) -> Announcement | None:
    """What becomes of a subscription at `price` (with `next_price` announced already) when the catalog's price becomes
    `new_price`; None when it is on its way there.

    A dearer price waits for the notice, counted anew unless a price at least as high was announced before; a cheaper
    one applies at the next renewal.
    """
    if new_price == (price if next_price is None else next_price):
        return None
    if new_price == price:
        return Announcement(News.KEPT, None, None)
    if new_price < price:
        return Announcement(News.CHEAPER, new_price, now)
    if next_price is not None and next_price_from is not None and price < new_price <= next_price:
        return Announcement(News.DEARER, new_price, next_price_from)
    return Announcement(News.DEARER, new_price, now + notice)
