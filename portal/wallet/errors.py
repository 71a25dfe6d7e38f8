"""Refusals of the wallet."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound, PortalError
from portal.core.money import Money


class InsufficientCredit(PortalError):
    """Not enough available credit; `shortfall` is exactly what is missing."""

    status = 409
    code = "INSUFFICIENT_CREDIT"

    def __init__(self, *, needed: Money, available: Money) -> None:
        self.shortfall = needed - available
        message = _l("Your credit is %(shortfall)s short. Nothing was charged.", shortfall=str(self.shortfall))
        super().__init__(message, needed=needed, available=available, shortfall=self.shortfall)


class AdjustmentRefused(PortalError):
    """An adjustment that nobody may ask for; `message` says why."""

    status = 422
    code = "ADJUSTMENT_REFUSED"


class AdjustmentNotCovered(Conflict):
    """A debit that would take a wallet below zero; said to an administrator."""

    code = "ADJUSTMENT_NOT_COVERED"

    def __init__(self, *, needed: Money, available: Money) -> None:
        self.shortfall = needed - available
        message = _l(
            "The wallet holds %(available)s: %(missing)s are missing. Nothing was booked.",
            available=str(available), missing=str(self.shortfall),
        )  # fmt: skip
        super().__init__(message, needed=needed, available=available, shortfall=self.shortfall)


class AdjustmentNotFound(NotFound):
    code = "ADJUSTMENT_NOT_FOUND"


class OwnWallet(Conflict):
    """Nobody corrects a wallet that is their own, nor approves it."""

    code = "OWN_WALLET"
    message = _l("This is your own wallet. Another administrator has to do it.")


class DecidedByAnother(Conflict):
    """Who asked for an adjustment does not decide on it."""

    code = "DECIDED_BY_ANOTHER"
    message = _l("You asked for this yourself. Another administrator has to decide.")


class AdjustmentDecided(Conflict):
    code = "ADJUSTMENT_DECIDED"
    message = _l("This was decided meanwhile. Nothing was booked a second time.")
