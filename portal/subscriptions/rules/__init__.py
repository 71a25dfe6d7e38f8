"""Pure decisions about subscriptions: purchases, periods, what time does, what is left, how far credit reaches."""

from portal.subscriptions.rules.periods import MONTHS, add_months, period_end
from portal.subscriptions.rules.purchases import Obstacle, Quote, may_add_instance, obstacle, top_up_for
from portal.subscriptions.rules.runway import RUNWAY_MONTHS_MAX, Running, Runway, runway

__all__ = [
    "MONTHS", "RUNWAY_MONTHS_MAX", "Obstacle", "Quote", "Running", "Runway", "add_months", "may_add_instance",
    "obstacle", "period_end", "runway", "top_up_for",
]  # fmt: skip
