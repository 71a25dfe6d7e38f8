"""The gateways this portal runs with, made once per process."""

from __future__ import annotations

from functools import lru_cache

from config import settings
from portal.payments.gateways import Gateway
from portal.payments.gateways.midtrans import Midtrans

GATEWAYS = ("midtrans",)
"""Those that can be asked. A bank transfer's payments have none."""


@lru_cache(maxsize=4)
def gateway_named(name: str) -> Gateway:
    """The gateway of that name; an unknown one is a programming error."""
    return {"midtrans": Midtrans}[name](settings())
