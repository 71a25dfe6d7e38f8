"""Balances that customers bring along from the system before."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core import events
from portal.core.money import Money
from portal.wallet.actions import Line, write_line
from portal.wallet.ledger import Reference, Side, lock_wallet, post, system_account
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting, TransactionType
from portal.wallet.rules import split_credit


def open_balance(session: Session, customer_id: UUID, amount: Money, *, key: str, now: datetime) -> bool:
    """Books what a customer had in the system before: a debt is paid first, the rest may be spent.

    False on a repeat of `key`, and for nothing at all. Records `wallet.credited`.
    """
    assert amount.amount >= 0, "nobody begins in debt"
    if not amount:
        return False
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    before, split = wallet.spendable, split_credit(amount.amount, debt=wallet.debt)
    openings = system_account(session, AccountKind.OPENING_BALANCE, now=now, currency=amount.currency)
    sides = [Side(wallet.available, split.available), Side(wallet.receivable, split.receivable),
             Side(openings, -amount.amount)]  # fmt: skip
    about = Reference("customer", customer_id)
    entry_id = post(session, EntryKind.OPENING_BALANCE, key=key, about=about, sides=sides, now=now)
    if entry_id is None:
        return False
    line = Line(TransactionType.OPENING_BALANCE, "opening_balance", {})
    write_line(session, customer_id, line, wallet, before, amount, about, entry_id, key, now)
    events.record(session, "wallet.credited", customer_id=customer_id)
    return True


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
