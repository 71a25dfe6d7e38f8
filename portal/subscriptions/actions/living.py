"""Writing a step of a subscription's life: the columns that time works on, all at once."""

from __future__ import annotations

from portal.subscriptions.models import Subscription
from portal.subscriptions.rules.life import LIFE_COLUMNS, Life


def live(subscription: Subscription, life: Life) -> None:
    """Moves a locked subscription on to `life`."""
    for name in LIFE_COLUMNS:
        setattr(subscription, name, getattr(life, name))
