"""Refusals of subscribing."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound

HURDLES = {
    "NOT_ACTIVE": _l("Only the plan of an active subscription can be changed. Nothing was charged."),
    "CANCELLATION_REQUESTED": _l("You have cancelled this subscription. Undo that first, then change its plan."),
    "UNDER_WAY": _l("The plan is being changed right now. That ends by itself within minutes; then try again."),
    "RENEWAL_DUE": _l("The period is over and being renewed. Try again in a few minutes. Nothing was charged."),
    "APP_BUSY": _l("Its app is being set up, updated or looked after right now. Try again when that has ended."),
}
"""What is in the way of a change of plan, as the customer reads it."""


class DuplicateSubscription(Conflict):
    code = "DUPLICATE_SUBSCRIPTION"
    message = _l("You have a subscription to this app already. Nothing was charged.")

    def __init__(self, subscription_id: Any) -> None:
        super().__init__(subscription_id=subscription_id)


class AlreadySubscribed(Conflict):
    """Of somebody whose subscription is being taken over: said to the operator."""

    code = "ALREADY_SUBSCRIBED"
    message = _l("This customer has a live subscription to the app here already.")


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

    def __init__(self, hurdle: str) -> None:
        super().__init__(HURDLES[hurdle], hurdle=hurdle)


class NotAnUpgrade(Conflict):
    code = "NOT_AN_UPGRADE"
    message = _l("A plan can only be changed to a higher one, or from monthly to yearly. Nothing was charged.")


class QuoteExpired(Conflict):
    code = "QUOTE_EXPIRED"
    message = _l("This price is no longer current. Nothing was charged. Look at the new one, then confirm.")


class SubscriptionEnded(Conflict):
    code = "SUBSCRIPTION_ENDED"
    message = _l("This subscription has ended already. Nothing was changed, and nothing more is charged for it.")


class CannotCancelLater(Conflict):
    code = "CANNOT_CANCEL_LATER"
    message = _l("No paid period is running that it could end with. Nothing was changed. Cancel it now instead.")


class CannotSwitchAutoRenew(Conflict):
    code = "CANNOT_SWITCH_AUTO_RENEW"
    message = _l("Renewing by itself cannot be switched as things stand. Nothing was changed.")


class RefundChanged(Conflict):
    code = "REFUND_CHANGED"
    message = _l("What you get back has changed since you saw it. Nothing was cancelled. Look at the new figure first.")


class StillBeingSetUp(Conflict):
    code = "STILL_BEING_SET_UP"
    message = _l(
        "The app is being set up for the first time: in a few minutes it runs, or you get everything back. "
        "Nothing was cancelled."
    )


class CannotResume(Conflict):
    code = "CANNOT_RESUME"
    message = _l("Only a suspended subscription is resumed. Nothing was charged.")


class WaitlistEntryNotFound(NotFound):
    message = _l("You have no such place in a queue.")


class NothingToOffer(Conflict):
    code = "NOTHING_TO_OFFER"
    message = _l("Nobody waits for this plan, or no slot of it is free. Nothing was changed.")


class SlotIsFree(Conflict):
    code = "SLOT_IS_FREE"
    message = _l("A slot of this plan is free: you need not wait. Nothing was changed.")


class TooManyHolds(Conflict):
    code = "TOO_MANY_HOLDS"
    message = _l("You hold as many slots as you may while you pay. Launch or cancel one of them, or go on without.")


class TrialUsed(Conflict):
    code = "TRIAL_USED"
    message = _l("A trial of this app is for those who have never had it. Nothing was charged. You can buy it here.")


class TrialNeedsEmail(Conflict):
    code = "TRIAL_NEEDS_EMAIL"
    message = _l("Confirm your e-mail address first: then the trial is yours. Nothing was charged.")


class NoTrial(Conflict):
    code = "NO_TRIAL"
    message = _l("There is no trial of this plan. Nothing was charged.")


class NothingToCredit(Conflict):
    """The invoice is credited already, or it is none of ours to credit."""

    code = "NOTHING_TO_CREDIT"
    message = _l("There is nothing left to credit on this invoice. Look at it as it is now.")


class NothingToCharge(Conflict):
    code = "NOTHING_TO_CHARGE"
    message = _l("Nothing is owed for this subscription right now, so nothing was charged.")
