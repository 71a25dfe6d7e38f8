"""Refusals of payments, and what a gateway's answer can be when it is no answer."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, PortalError, TooManyRequests, Unavailable
from portal.core.money import Money


class AmountOutOfRange(PortalError):
    status = 422
    code = "AMOUNT_OUT_OF_RANGE"

    def __init__(self, *, smallest: Money, largest: Money) -> None:
        super().__init__(
            _l("Choose an amount from %(smallest)s to %(largest)s.", smallest=str(smallest), largest=str(largest))
        )


class UnknownMethod(PortalError):
    status = 422
    code = "UNKNOWN_METHOD"
    message = _l("Choose how you want to pay.")


class TooManyOpenTopUps(TooManyRequests):
    code = "TOO_MANY_OPEN_TOP_UPS"
    message = _l("You have several unpaid top-ups already. Pay or cancel one of them first.")


class NotPayable(Conflict):
    code = "NOT_PAYABLE"
    message = _l(
        "This top-up can no longer be paid. Start a new one. Money that arrives late is credited all the same."
    )


class NothingToDecide(Conflict):
    code = "NOTHING_TO_DECIDE"
    message = _l("There is nothing to decide here any more. Look at the payment as it is now.")


class CannotRefund(Conflict):
    code = "CANNOT_REFUND"
    message = _l("This cannot be refunded at the gateway: look at what it holds, and whether a refund is under way.")


class GatewayUnavailable(Unavailable):
    """The gateway did not answer, or not sensibly: the outcome is unknown and will be looked at."""

    code = "GATEWAY_UNAVAILABLE"
    message = _l("The payment provider does not answer right now. Your top-up is kept: try again in a minute.")


class GatewayRefused(PortalError):
    """The gateway understood and said no; `details` carry its code and, when it is short and safe, its reason."""

    status = 502
    code = "GATEWAY_REFUSED"
    message = _l("The payment provider refused this request. Nothing was charged. Try another method.")


class OrderTaken(GatewayRefused):
    """The gateway knows this order id already: a transaction exists under it."""

    code = "ORDER_TAKEN"


class UnreadableAnswer(GatewayUnavailable):
    """The gateway answered something that its protocol does not know."""


class BadSignature(PortalError):
    status = 403
    code = "BAD_SIGNATURE"
    message = "signature"


class MalformedNotification(PortalError):
    status = 400
    code = "MALFORMED_NOTIFICATION"
    message = "malformed"
