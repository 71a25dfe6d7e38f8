"""Pure decisions of the ledger: how a credit and a claw-back split, and the chain's hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

ADJUSTMENT_WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Split:
    """A movement of a wallet, divided over its sub-accounts."""

    available: int
    receivable: int


def split_credit(amount: int, *, debt: int) -> Split:
    """Divides a credit: what the customer owes (`debt`, zero or more) is paid first, the rest may be spent."""
    assert amount > 0, "a credit is positive"
    assert debt >= 0, "a debt is counted upwards"
    paid = min(amount, debt)
    return Split(available=amount - paid, receivable=paid)


def split_claw_back(amount: int, *, available: int) -> Split:
    """Divides a claw-back: credit that is still there goes, what was spent becomes a debt."""
    assert amount > 0, "a claw-back is counted upwards"
    taken = min(amount, available)
    return Split(available=-taken, receivable=-(amount - taken))


ADJUSTMENT_MAX = 1_000_000_000
"""More than any correction ever was: a slipped finger, not a wish."""


def may_adjust_alone(amount: int, *, booked_alone: int, limit: int) -> bool:
    """Whether one administrator may book `amount` (signed) without another; `booked_alone` is the sum, without signs,
    of what they booked alone for the same customer within `ADJUSTMENT_WINDOW`."""
    return abs(amount) + booked_alone <= limit


def chain_hash(
    previous: str, *, account_id: UUID, sequence: int, entry_id: UUID, amount: int, currency: str, balance_after: int
) -> str:
    """SHA-256 of a wallet posting and of the hash before it: no posting can change, go or swap unseen."""
    text = f"{previous}|{account_id}|{sequence}|{entry_id}|{amount}|{currency}|{balance_after}"
    return hashlib.sha256(text.encode()).hexdigest()
