"""Comparing three sides of one order: our rows, the gateway's answer, the ledger. Pure; it judges and mends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from portal.core import clock
from portal.core.money import Money
from portal.payments import rules as payments
from portal.payments.gateways import Answer
from portal.wallet.proofs import Difference

ASKED_FOR = timedelta(days=14)
"""Orders as young as this are asked about every day; older credited ones on every 30th day of their life, for a
chargeback comes up to four months later."""
CHARGEBACKS_COME_FOR = timedelta(days=125)
EVERY_DAYS = 30
LOOK_AGAIN_AFTER = timedelta(minutes=15)

HANDED_OVER = ("paid_but_not_credited", "taken_back_differs")
"""The gateway knows more than we: the same job that answers a notification looks at the payment at once. Only what is
still different a while later is told."""
OF_ORDERS = (
    "paid_but_not_credited", "taken_back_differs", "credited_but_not_paid", "unknown_to_gateway", "amount_differs",
    "refused_by_gateway", "answer_of_another_order", "ledger_differs",
)  # fmt: skip
OF_DAYS = ("day_sums_differ", "clearing_unexplained")
STILL_LOOKED_AT = (*HANDED_OVER, "day_sums_differ")
"""Told only when they outlive the second look."""


@dataclass(frozen=True)
class Booked:
    """One of the gateway's transactions, as our rows and as the ledger have it. Sums are positive."""

    transaction_id: str
    status: str
    credited: int
    taken_back: int
    updated_at: datetime
    settled_at: datetime | None
    ledger_credited: int
    ledger_taken_back: int


@dataclass(frozen=True)
class Order:
    """Our side of one attempt to pay."""

    attempt_id: UUID
    payment_id: UUID
    gateway: str
    order_id: str
    expected: Money
    booked: tuple[Booked, ...]

    @property
    def name(self) -> str:
        """How differences name it."""
        return f"order {self.order_id}"

    def of(self, transaction_id: str) -> Booked | None:
        return next((row for row in self.booked if row.transaction_id == transaction_id), None)


def changed_since(order: Order, asked_at: datetime) -> bool:
    """Did we learn something after the question left? Then the answer may be the older one, and judges nothing."""
    return any(row.updated_at > asked_at for row in order.booked)


def compare(order: Order, answers: Sequence[Answer | None]) -> Iterator[Difference]:
    """What differs between an order's rows, the gateway's answers about it and the ledger."""
    for row in order.booked:
        if (row.ledger_credited, row.ledger_taken_back) != (row.credited, row.taken_back):
            yield _differs(
                order, "ledger_differs",
                f"transaction {row.transaction_id}: rows say {row.credited} credited and {row.taken_back} taken back, "
                f"the clearing account {row.ledger_credited} and {row.ledger_taken_back}",
            )  # fmt: skip
    for answer in answers:
        if answer is not None and answer.order_id != order.order_id:
            yield _differs(order, "answer_of_another_order", f"the gateway answered about {answer.order_id}")
        elif answer is not None:
            yield from _judge(order, answer)
    if None in answers and any(row.credited > row.taken_back for row in order.booked):
        yield _differs(order, "unknown_to_gateway", "credited, but the gateway knows no such order")


def _judge(order: Order, answer: Answer) -> Iterator[Difference]:
    row = order.of(answer.transaction_id)
    credited, taken_back = (row.credited, row.taken_back) if row else (0, 0)
    found = payments.meaning(answer, expected=order.expected)
    said = f"transaction {answer.transaction_id}: the gateway says {answer.status} {answer.amount_text}"
    if credited:
        gateway_took = payments.taken_back(answer, credited=credited)
        if gateway_took != taken_back:
            yield _differs(
                order, "taken_back_differs", f"{said}, {gateway_took} of it taken back; we took back {taken_back}"
            )
        elif answer.status not in payments.PAID | payments.TAKEN_BACK and taken_back < credited:
            yield _differs(order, "credited_but_not_paid", f"{said}; we credited {credited}")
    elif found is payments.Meaning.PAID and not answer.taken_back:
        yield _differs(order, "paid_but_not_credited", f"{said}; we credited nothing")
    decided = bool(credited) and credited == _amount(answer)  # a person credited what really arrived
    if _is_money(answer) and answer.amount != order.expected and answer.taken_back < _amount(answer) and not decided:
        yield _differs(order, "amount_differs", f"{said}; asked for was {order.expected.amount}")


def _is_money(answer: Answer) -> bool:
    return answer.status in payments.PAID | payments.TAKEN_BACK


def _amount(answer: Answer) -> int:
    return answer.amount.amount if answer.amount else 1


def _differs(order: Order, check: str, reason: str) -> Difference:
    return Difference(check, order.name, reason)


def paid_on(order: Order, answer: Answer) -> tuple[date, int] | None:
    """The day (Jakarta) to which a paid transaction counts on all three sides, and the gateway's sum of it. It is the
    day we noted when we credited it; a card's settlement comes days after its capture."""
    row = order.of(answer.transaction_id)
    fits = answer.amount == order.expected or (row is not None and row.credited == _amount(answer))
    if not _is_money(answer) or answer.fraud_status not in (None, "accept") or not fits:
        return None
    settled_at = (row.settled_at if row and row.credited else None) or answer.settled_at
    return (clock.today(settled_at), _amount(answer)) if settled_at else None
