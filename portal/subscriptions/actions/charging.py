"""Charging periods, one or a whole batch: from credit, with the charge, its invoice and the customer's line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core.clock import today
from portal.core.ids import new_id
from portal.core.money import Money
from portal.core.rows import insert_all
from portal.invoices import actions as invoices
from portal.invoices.actions import Line as DocumentLine
from portal.invoices.actions import Sale, split_price
from portal.invoices.models import Series
from portal.subscriptions.models import ChargeKind, SubscriptionCharge
from portal.wallet import actions as wallet
from portal.wallet.actions import Bill, Line
from portal.wallet.ledger import Reference
from portal.wallet.models import TransactionType

REFERENCE = "subscription_charge"
LINES: dict[ChargeKind, tuple[TransactionType, str]] = {
    ChargeKind.FIRST: (TransactionType.SUBSCRIPTION, "subscription"),
    ChargeKind.RENEWAL: (TransactionType.RENEWAL, "renewal"),
    ChargeKind.RESUMPTION: (TransactionType.RENEWAL, "resumption"),
}
"""What a charge is on the customer's list, and the code that words it there and on its invoice."""


@dataclass(frozen=True)
class Period:
    """A period of a subscription that is to be charged; `amount` holds the setup fee."""

    subscription_id: UUID
    customer_id: UUID
    kind: ChargeKind
    number: int
    started_at: datetime
    ends_at: datetime
    interval: str
    app: str
    plan: str
    amount: int
    setup_fee: int = 0

    @property
    def key(self) -> str:
        """What makes the period be paid once."""
        return f"charge:{self.subscription_id}:{self.number}"

    @property
    def words(self) -> dict[str, Any]:
        """What lines and notices say of the subscription."""
        return {"app": self.app, "plan": self.plan, "interval": self.interval}


def charge_all(session: Session, periods: Sequence[Period], *, now: datetime) -> dict[UUID, UUID]:
    """Charges each period once, in their order, and drafts the invoices; ids of the charges by subscription.

    A free period has a charge of zero, no entry and no invoice. Raises `InsufficientCredit` at the first that its
    customer cannot pay; then, and when a period was charged before, nothing of the transaction may be kept.
    """
    ids = {period.key: new_id() for period in periods}
    entries = wallet.pay_all(session, [_bill(period, ids[period.key]) for period in periods], now=now)
    rows = [_charge_row(period, ids[period.key], entries.get(period.key), now) for period in periods]
    assert all(row["entry_id"] or not row["amount"] for row in rows), "a period is paid once"
    insert_all(session, SubscriptionCharge, rows)
    paid = [period for period in periods if period.amount]
    invoices.draft_all(session, [_sale(period, ids[period.key]) for period in paid], now=now)
    return {period.subscription_id: ids[period.key] for period in periods}


def _bill(period: Period, charge_id: UUID) -> Bill:
    type_, code = LINES[period.kind]
    return Bill(
        period.customer_id,
        Money(period.amount),
        Money(split_price(period.amount).ppn),
        key=period.key,
        about=Reference(REFERENCE, charge_id),
        line=Line(type_, code, period.words),
    )


def _charge_row(period: Period, charge_id: UUID, entry_id: UUID | None, now: datetime) -> dict[str, Any]:
    return {
        "id": charge_id,
        "subscription_id": period.subscription_id,
        "period_number": period.number,
        "kind": period.kind,
        "amount": period.amount,
        "setup_fee": period.setup_fee,
        "entry_id": entry_id,
        "charged_at": now,
    }


def _sale(period: Period, charge_id: UUID) -> Sale:
    _, code = LINES[period.kind]
    days = {"from": today(period.started_at).isoformat(), "to": today(period.ends_at).isoformat()}
    lines = [DocumentLine(code, {**period.words, **days}, period.amount - period.setup_fee)]
    if period.setup_fee:
        lines.append(DocumentLine("setup_fee", period.words, period.setup_fee))
    return Sale(period.customer_id, Series.INVOICE, REFERENCE, charge_id, lines)
