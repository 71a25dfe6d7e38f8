"""How a code is written, and whether it may be redeemed. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from portal.promotions.models import PromoCode

CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,23}")


class CodeState(StrEnum):
    """What may become of a code now, in the order in which it matters."""

    OFF = "OFF"
    ENDED = "ENDED"
    USED_UP = "USED_UP"
    PLANNED = "PLANNED"  # it has not begun
    OPEN = "OPEN"


def normal_code(typed: str) -> str | None:
    """A code as it is kept: capitals, without blanks. None when it can be no code."""
    code = "".join(typed.split())
    return code.upper() if code.isascii() and CODE.fullmatch(code.upper()) else None


def state_of(promo: PromoCode, *, now: datetime) -> CodeState:
    """From its beginning until the instant it ends, while it is on and some of it is left."""
    if not promo.active:
        return CodeState.OFF
    if promo.ends_at is not None and now >= promo.ends_at:
        return CodeState.ENDED
    if promo.redemptions >= promo.redemptions_max:
        return CodeState.USED_UP
    return CodeState.PLANNED if now < promo.starts_at else CodeState.OPEN
