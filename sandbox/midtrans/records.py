"""What the simulated gateway remembers: orders, their page tokens and their transactions."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .methods import METHODS, Method
from .states import counts_as_success


@dataclass
class Session:
    """One token of the payment page. States: open, superseded, canceled (expiry is read off the clock)."""

    token: str
    order_id: str
    created_at: datetime
    expires_at: datetime
    state: str = "open"


@dataclass
class Order:
    """What the merchant asked for. One order has one live token and any number of transactions."""

    order_id: str
    amount: int
    request: dict[str, Any]
    created_at: datetime
    notification_urls: list[str]

    @property
    def custom_fields(self) -> dict[str, str]:
        names = ("custom_field1", "custom_field2", "custom_field3")
        return {name: self.request[name] for name in names if self.request.get(name)}


@dataclass
class Transaction:
    """One try to pay an order. `shown` holds the method's own fields: VA number, bill key, masked card."""

    transaction_id: str
    order_id: str
    method_code: str
    payment_type: str
    amount: int
    created_at: datetime
    expires_at: datetime
    status: str = "pending"
    fraud_status: str | None = None
    settled_at: datetime | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    chargebacks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def method(self) -> Method:
        return METHODS[self.method_code]

    @property
    def successful(self) -> bool:
        return counts_as_success(self.status, self.fraud_status)

    @property
    def refunded(self) -> int:
        return sum(refund["amount"] for refund in self.refunds)

    @property
    def references(self) -> set[str]:
        """Every number a bank or wallet could know this transaction by."""
        numbers = {self.transaction_id}
        numbers |= {va["va_number"] for va in self.shown.get("va_numbers", [])}
        names = ("permata_va_number", "bill_key", "payment_code", "qr_string")
        return numbers | {self.shown[name] for name in names if name in self.shown}


class Records:
    """All of it, with the look-ups. No rules and no lock: the simulator holds one around every verb."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.sessions: dict[str, Session] = {}
        self.transactions: dict[str, Transaction] = {}

    def clear(self) -> None:
        for kind in (self.orders, self.sessions, self.transactions):
            kind.clear()

    def sessions_of(self, order_id: str) -> list[Session]:
        return [s for s in self.sessions.values() if s.order_id == order_id]

    def transactions_of(self, order_id: str) -> list[Transaction]:
        """Oldest first."""
        return [t for t in self.transactions.values() if t.order_id == order_id]

    def paid_transaction_of(self, order_id: str) -> Transaction | None:
        return next((t for t in reversed(self.transactions_of(order_id)) if t.successful), None)

    def find(self, any_id: str, *, rule: str = "latest_successful") -> Transaction | None:
        """By transaction id, or by order id under the rule for orders with several transactions."""
        if any_id in self.transactions:
            return self.transactions[any_id]
        found = self.transactions_of(any_id)
        paid = self.paid_transaction_of(any_id) if rule == "latest_successful" else None
        return paid or (found[-1] if found else None)

    def find_by_reference(self, reference: str) -> Transaction | None:
        """The newest transaction that a bank would find under this number."""
        matching = [t for t in self.transactions.values() if reference in t.references]
        return matching[-1] if matching else None

    def unused_number(self, prefix: str, digits: int) -> str:
        """A payment number no other transaction has."""
        while True:
            missing = digits - len(prefix)
            number = prefix + "".join(secrets.choice("0123456789") for _ in range(missing))
            if self.find_by_reference(number) is None:
                return number


def new_id() -> str:
    """Token or transaction id. Never seeded: a gateway does not hand out the same id twice after a reset."""
    return str(uuid.uuid4())
