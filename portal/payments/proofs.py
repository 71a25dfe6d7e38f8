"""What the books audit proves about payments."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal.payments.models import GatewayTransaction, Payment, PaymentAttempt
from portal.payments.rules import PAID
from portal.wallet.models import EntryKind, JournalEntry
from portal.wallet.proofs import Difference


def settled_attempts_are_booked(session: Session) -> Iterator[Difference]:
    """Every credited gateway transaction has exactly its credit entry, and what was taken back exactly its entries."""
    rows = session.execute(
        text(
            """
            WITH moved AS (
                SELECT split_part(e.idempotency_key, ':', 1) AS gateway,
                       split_part(e.idempotency_key, ':', 2) AS transaction_id,
                       coalesce(sum(p.amount) FILTER (WHERE e.kind = 'TOP_UP'), 0) AS booked,
                       coalesce(-sum(p.amount) FILTER (WHERE e.kind <> 'TOP_UP'), 0) AS undone
                FROM journal_entry e
                JOIN posting p ON p.entry_id = e.id
                JOIN ledger_account a ON a.id = p.account_id AND a.customer_id IS NOT NULL
                WHERE e.kind IN ('TOP_UP', 'GATEWAY_REFUND', 'CHARGEBACK', 'TOP_UP_REVERSAL')
                GROUP BY 1, 2
            )
            SELECT g.id, g.credited, g.taken_back, coalesce(m.booked, 0) AS booked, coalesce(m.undone, 0) AS undone
            FROM gateway_transaction g LEFT JOIN moved m USING (gateway, transaction_id)
            """
        )
    )
    for row in rows:
        name = f"gateway_transaction {row.id}"
        if row.booked != row.credited:
            yield Difference(
                "settled_attempts_are_booked", name, f"credited {row.credited}, the ledger says {row.booked}"
            )
        if row.undone != row.taken_back:
            yield Difference(
                "settled_attempts_are_booked", name, f"took back {row.taken_back}, the ledger says {row.undone}"
            )


def paid_ones_are_credited(session: Session) -> Iterator[Difference]:
    """A transaction that the gateway calls paid, in the amount asked for, is credited."""
    rows = session.execute(
        select(GatewayTransaction.id, GatewayTransaction.status)
        .join(PaymentAttempt)
        .join(Payment)
        .where(
            GatewayTransaction.status.in_(PAID),
            GatewayTransaction.gross_amount == Payment.amount,
            GatewayTransaction.currency == Payment.currency,
            func.coalesce(GatewayTransaction.fraud_status, "accept") == "accept",
            GatewayTransaction.credited == 0,
        )
    )
    for transaction_id, status in rows:
        yield Difference(
            "paid_ones_are_credited", f"gateway_transaction {transaction_id}", f"{status} but not credited"
        )


def credits_have_a_cause(session: Session) -> Iterator[Difference]:
    """Every top-up entry belongs to a gateway transaction that says it was credited."""
    keys = select(GatewayTransaction.gateway + ":" + GatewayTransaction.transaction_id + ":credit").where(
        GatewayTransaction.credited > 0
    )
    orphans = session.scalars(
        select(JournalEntry.id).where(JournalEntry.kind == EntryKind.TOP_UP, JournalEntry.idempotency_key.not_in(keys))
    )
    for entry_id in orphans:
        yield Difference("credits_have_a_cause", f"journal_entry {entry_id}", "no gateway transaction stands behind it")


CHECKS = [settled_attempts_are_booked, paid_ones_are_credited, credits_have_a_cause]
