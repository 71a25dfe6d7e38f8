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


class UpgradeRequired(DuplicateSubscription):
    """The plan asked for is a step up from the one that runs: that is an upgrade, not a second purchase."""

    code = "UPGRADE_REQUIRED"
    message = _l("You have this app already: upgrade it, and what is left of your plan counts. Nothing was charged.")


class PlanChangeUnderWay(Conflict):
    code = "PLAN_CHANGE_UNDER_WAY"
    message = _l("The plan is being changed right now. That ends by itself within minutes; then try again.")


class PlanChangeNotFound(NotFound):
    message = _l("There is no such change of plan.")


class CannotChangePlan(Conflict):
    """`hurdle` (a `rules.changes.Hurdle`) says what is in the way."""

    code = "CANNOT_CHANGE_PLAN"
    message = _l("The plan cannot be changed as things stand. Nothing was charged.")


class NotAnUpgrade(Conflict):
    code = "NOT_AN_UPGRADE"
    message = _l("A plan can only be changed to a higher one, or from monthly to yearly. Nothing was charged.")


class QuoteExpired(Conflict):
    code = "QUOTE_EXPIRED"
    message = _l("This price is no longer current. Nothing was charged. Look at the new one, then confirm.")
