"""Pure decisions of the ledger: how a credit and a claw-back split, and the chain's hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID


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


def chain_hash(
    previous: str, *, account_id: UUID, sequence: int, entry_id: UUID, amount: int, currency: str, balance_after: int
) -> str:
    """SHA-256 of a wallet posting and of the hash before it: no posting can change, go or swap unseen."""
    text = f"{previous}|{account_id}|{sequence}|{entry_id}|{amount}|{currency}|{balance_after}"
    return hashlib.sha256(text.encode()).hexdigest()
