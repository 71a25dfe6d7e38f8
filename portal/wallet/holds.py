"""Credit set aside: still the customer's, but not to be spent on anything else while it is held.

Held credit does not hide from a debt. A claw-back takes what is available and makes a debt of the rest; the only way
out of a hold is `release`, which pays a debt first, and `wallet.indebted` has every place in a queue of the debtor let
go of. What is held for a refund under way goes back to whom it came from.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import events
from portal.core.money import Money
from portal.wallet.actions import Line, refuse_unless_repeated, write_line
from portal.wallet.ledger import Reference, Side, lock_wallet, post
from portal.wallet.models import EntryKind
from portal.wallet.rules import split_credit


def hold(
    session: Session, customer_id: UUID, amount: Money, *, key: str, about: Reference, line: Line, now: datetime
) -> bool:
    """Sets available credit aside. False on a repeat of `key`.

    Raises `InsufficientCredit` with the exact shortfall.
    """
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    before = wallet.spendable
    if before < amount:
        refuse_unless_repeated(session, key, needed=amount, available=before)
        return False
    sides = [Side(wallet.available, -amount.amount), Side(wallet.held, amount.amount)]
    entry_id = post(session, EntryKind.HOLD, key=key, about=about, sides=sides, now=now)
    if entry_id is None:
        return False
    write_line(session, customer_id, line, wallet, before, -amount, about, entry_id, key, now)
    return True


def release(
    session: Session, customer_id: UUID, amount: Money, *, key: str, about: Reference, line: Line, now: datetime
) -> bool:
    """Gives back what was set aside: like every credit it pays a debt first and records `wallet.credited`.

    False on a repeat of `key`. The caller proves, by a state it changes, that this much is held.
    """
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    before = wallet.spendable
    split = split_credit(amount.amount, debt=wallet.debt)
    sides = [
        Side(wallet.held, -amount.amount),
        Side(wallet.available, split.available),
        Side(wallet.receivable, split.receivable),
    ]
    entry_id = post(session, EntryKind.RELEASE, key=key, about=about, sides=sides, now=now)
    if entry_id is None:
        return False
    write_line(session, customer_id, line, wallet, before, amount, about, entry_id, key, now)
    events.record(session, "wallet.credited", customer_id=customer_id)
    return True
