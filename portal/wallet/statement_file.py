"""The history as CSV: for spreadsheets, which must show it and never run it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from portal.core.clock import JAKARTA
from portal.wallet.models import Transaction
from portal.wallet.wording import line_text

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as something else."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""A text cell that begins so may be run as a formula. Source: OWASP, CSV injection."""
COLUMNS = (
    "time_utc", "time_wib", "type", "status", "description", "amount", "currency", "balance_before", "balance_after",
    "reference_kind", "reference_id", "transaction_id",
)  # fmt: skip


def written(lines: Iterable[Transaction]) -> Iterator[str]:
    """The file piece by piece: a header, then a row per transaction. Amounts are signed whole units, times ISO 8601."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BYTE_ORDER_MARK)
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow(_cells(line))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cells(line: Transaction) -> list[Any]:
    at = line.completed_at or line.created_at
    return [
        at.isoformat(timespec="seconds"),
        at.astimezone(JAKARTA).isoformat(timespec="seconds"),
        line.type,
        line.status,
        safe_text(line_text(line)),
        line.amount,
        line.currency,
        line.balance_before,
        line.balance_after,
        line.reference_kind,
        line.reference_id,
        line.id,
    ]


def safe_text(text: str) -> str:
    """`text` as a spreadsheet shows it: what could begin a formula gets an apostrophe before it."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
