"""Refusals of promo codes. A code that is off or has not begun is as unknown as one that does not exist."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound, PortalError


class CodeRefused(PortalError):
    """Nothing was given; `message` says why, beside the field."""

    status = 422
    code = "PROMO_CODE_REFUSED"
    message = _l("We do not know this code. Look at how it is written, and try again.")


class CodeEnded(CodeRefused):
    code = "PROMO_CODE_ENDED"
    message = _l("This code has ended.")


class CodeUsedUp(CodeRefused):
    code = "PROMO_CODE_USED_UP"
    message = _l("This code was for the first who came, and they have come: nothing of it is left.")


class CodeUsedByYou(CodeRefused):
    code = "PROMO_CODE_USED_BY_YOU"
    message = _l("You have redeemed this code already. Each person can use it once.")


class CodeForNewcomers(CodeRefused):
    code = "PROMO_CODE_FOR_NEWCOMERS"
    message = _l("This code is for new customers, before their first top-up.")


class CodeNeedsEmail(CodeRefused):
    code = "PROMO_CODE_NEEDS_EMAIL"
    message = _l("Confirm your e-mail address first, then redeem the code.")


class PromoCodeNotFound(NotFound):
    message = _l("There is no such promo code.")


class PromoCodeTaken(Conflict):
    code = "PROMO_CODE_TAKEN"
    message = _l("There is a promo code of that name already.")


class FewerThanRedeemed(Conflict):
    code = "FEWER_THAN_REDEEMED"
    message = _l("It was redeemed more often than that already.")
