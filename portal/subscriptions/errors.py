"""Refusals of subscribing."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound


class DuplicateSubscription(Conflict):
    code = "DUPLICATE_SUBSCRIPTION"
    message = _l("You have a subscription to this app already. Nothing was charged.")

    def __init__(self, subscription_id: Any) -> None:
        super().__init__(subscription_id=subscription_id)


class PriceChanged(Conflict):
    code = "PRICE_CHANGED"
    message = _l("The price has changed since you saw it. Nothing was charged. Look at the new price first.")


class SubscriptionNotFound(NotFound):
    message = _l("There is no such subscription.")


class NoRoomForInstance(Conflict):
    code = "NO_ROOM_FOR_INSTANCE"
    message = _l("This subscription runs as many apps as its plan allows, or you pressed twice. Nothing was changed.")
