"""One module per payment gateway behind one small interface. Every answer is read into the same plain shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from portal.core.money import Money


@dataclass(frozen=True)
class Order:
    """What a gateway is asked to collect."""

    order_id: str
    amount: Money
    description: str
    method: str
    customer_name: str
    customer_email: str
    starts_at: datetime
    expires_at: datetime
    return_url: str


@dataclass(frozen=True)
class Checkout:
    """How the customer gets to pay: a token for the popup, an address for everybody else."""

    token: str
    redirect_url: str


@dataclass(frozen=True)
class Answer:
    """A gateway's own word on one transaction. `amount` is None when it was not readable as money."""

    order_id: str
    transaction_id: str
    status: str  # lower case
    fraud_status: str | None
    payment_type: str
    amount: Money | None
    amount_text: str
    taken_back: int  # refunded or charged back so far, in whole units
    merchant_id: str | None = None
    settled_at: datetime | None = None
    instructions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notification:
    """A verified notification: a hint to look at the gateway's status, never the truth itself."""

    order_id: str
    transaction_id: str | None
    status: str
    is_test_ping: bool


class Gateway(Protocol):
    """What every gateway can do. Network calls happen outside any transaction and raise `payments.errors`."""

    name: str

    def create(self, order: Order) -> Checkout:
        """Asks for a checkout. Calling again before a method was chosen gives a new token for the same order."""

    def fetch_status(self, reference: str) -> Answer | None:
        """The transaction of an order id or transaction id; None while the gateway knows none."""

    def parse_notification(self, body: bytes) -> Notification:
        """Checks shape and signature of a raw notification; no network."""

    def refund(self, transaction_id: str, amount: Money, *, key: str, reason: str) -> None:
        """Asks to send money back, once per key; what came of it is read from the status. Raises `GatewayRefused` for
        a definite no."""

    def cancel(self, reference: str) -> None:
        """Asks to cancel an unpaid transaction. Refusals are no error: the status is read afterwards."""
