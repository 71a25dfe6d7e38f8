"""The history as a file for spreadsheets."""

from __future__ import annotations

from typing import Any

from portal.wallet.models import Transaction
from portal.wallet.wording import line_text

COLUMNS = (
    "time_utc", "time_wib", "type", "status", "description", "amount", "currency", "balance_before", "balance_after",
    "reference_kind", "reference_id", "transaction_id",
)  # fmt: skip


def cells(line: Transaction) -> list[Any]:
    """One transaction's row, in the order of `COLUMNS`."""
    at = line.completed_at or line.created_at
    return [
        at.isoformat(timespec="seconds"), at, line.type, line.status, line_text(line), line.amount, line.currency,
        line.balance_before, line.balance_after, line.reference_kind, line.reference_id, line.id,
    ]  # fmt: skip
