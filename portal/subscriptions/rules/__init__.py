"""Pure decisions about subscriptions: purchases, periods, what time does, what is left, how far credit reaches."""

from portal.subscriptions.rules.periods import MONTHS, add_months, period_end
from portal.subscriptions.rules.purchases import Obstacle, Quote, may_add_instance, obstacle, top_up_for
from portal.subscriptions.rules.runway import RUNWAY_MONTHS_MAX, Running, Runway, runway
from portal.subscriptions.rules.waitlist import (
    LAUNCH_HOLDS_MAX,
    Serving,
    line_order,
    may_hold_another,
    offered_with,
    serving,
    slots_for_sale,
)

__all__ = [
    "LAUNCH_HOLDS_MAX",
    "MONTHS",
    "RUNWAY_MONTHS_MAX",
    "Obstacle",
    "Quote",
    "Running",
    "Runway",
    "Serving",
    "add_months",
    "line_order",
    "may_add_instance",
    "may_hold_another",
    "obstacle",
    "offered_with",
    "period_end",
    "runway",
    "serving",
    "slots_for_sale",
    "top_up_for",
]
