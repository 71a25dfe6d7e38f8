"""Balances that customers bring along from the system before."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.money import Money
from portal.wallet.actions import Line, give
from portal.wallet.ledger import Reference
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting, TransactionType


def open_balance(session: Session, customer_id: UUID, amount: Money, *, key: str, now: datetime) -> bool:
    """Books what a customer had in the system before: a debt is paid first, the rest may be spent.

    False on a repeat of `key`, and for nothing at all. Records `wallet.credited`.
    """
    assert amount.amount >= 0, "nobody begins in debt"
    if not amount:
        return False
    entry_id = give(
        session, customer_id, amount, kind=EntryKind.OPENING_BALANCE, source=AccountKind.OPENING_BALANCE, key=key,
        about=Reference("customer", customer_id), line=Line(TransactionType.OPENING_BALANCE, "opening_balance", {}),
        now=now,
    )  # fmt: skip
    return entry_id is not None


def opened_sum(session: Session, *, key_prefix: str) -> int:
    """Rupiah that stand booked as opening balances under such keys, as the ledger has it."""
    statement = (
        select(func.coalesce(-func.sum(Posting.amount), 0))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(
            LedgerAccount.kind == AccountKind.OPENING_BALANCE,
            JournalEntry.idempotency_key.startswith(key_prefix, autoescape=True),
        )
    )
    return int(session.scalar(statement) or 0)
