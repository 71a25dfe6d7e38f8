"""Refusals of the wallet."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import PortalError
from portal.core.money import Money


class InsufficientCredit(PortalError):
    """Not enough available credit; `shortfall` is exactly what is missing."""

    status = 409
    code = "INSUFFICIENT_CREDIT"

    def __init__(self, *, needed: Money, available: Money) -> None:
        self.shortfall = needed - available
        message = _l("Your credit is %(shortfall)s short. Nothing was charged.", shortfall=str(self.shortfall))
        super().__init__(message, needed=needed, available=available, shortfall=self.shortfall)
