"""What the books audit proves about the ledger. Reads only; each difference names its row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, aliased

from portal.wallet.models import AccountKind, JournalEntry, LedgerAccount, Posting, Transaction, TransactionStatus
from portal.wallet.rules import chain_hash


@dataclass(frozen=True)
class Difference:
    """A broken promise: which check, which row, and what is wrong with it."""

    check: str
    row: str
    reason: str

    def __str__(self) -> str:
        return f"{self.check}: {self.row}: {self.reason}"


def entries_balance(session: Session) -> Iterator[Difference]:
    """Every entry has two sides at least and sums to zero per currency."""
    sums = session.execute(
        select(Posting.entry_id, Posting.currency, func.sum(Posting.amount))
        .group_by(Posting.entry_id, Posting.currency)
        .having(func.sum(Posting.amount) != 0)
    )
    for entry_id, currency, amount in sums:
        yield Difference("entries_balance", f"journal_entry {entry_id}", f"sums to {amount} {currency}")
    lone = session.execute(
        select(JournalEntry.id, func.count(Posting.id))
        .outerjoin(Posting)
        .group_by(JournalEntry.id)
        .having(func.count(Posting.id) < 2)
    )
    for entry_id, sides in lone:
        yield Difference("entries_balance", f"journal_entry {entry_id}", f"has {sides} postings")


def balances_equal_postings(session: Session) -> Iterator[Difference]:
    """Every wallet account's cached balance is the sum of its postings; none is where it must not be."""
    rows = session.execute(
        select(LedgerAccount.id, LedgerAccount.kind, LedgerAccount.balance, func.coalesce(func.sum(Posting.amount), 0))
        .outerjoin(Posting, Posting.account_id == LedgerAccount.id)
        .where(LedgerAccount.customer_id.is_not(None))
        .group_by(LedgerAccount.id)
    )
    for account_id, kind, balance, total in rows:
        row = f"ledger_account {account_id}"
        if balance != total:
            yield Difference("balances_equal_postings", row, f"{kind} says {balance}, its postings say {total}")
        if (balance > 0) if kind == "RECEIVABLE" else (balance < 0):
            yield Difference("balances_equal_postings", row, f"{kind} stands at {balance}")


def chains_hold(session: Session) -> Iterator[Difference]:
    """Every wallet's postings are numbered without a gap and hash onto each other up to the account's head."""
    accounts = {
        account.id: account
        for account in session.scalars(select(LedgerAccount).where(LedgerAccount.customer_id.is_not(None)))
    }
    last: dict[UUID, tuple[int, str, int]] = {}
    postings = session.execute(
        select(
            Posting.id, Posting.account_id, Posting.sequence, Posting.entry_id, Posting.amount, Posting.currency,
            Posting.balance_after, Posting.chain_hash,
        )
        .where(Posting.account_id.in_(accounts))
        .order_by(Posting.account_id, Posting.sequence)
        .execution_options(yield_per=5000)
    )  # fmt: skip
    for posting in postings:
        sequence, head, balance = last.get(posting.account_id, (0, "", 0))
        reason = link_fault(posting, sequence, head, balance)
        if reason:
            yield Difference("chains_hold", f"posting {posting.id}", reason)
        last[posting.account_id] = (posting.sequence or 0, posting.chain_hash or "", posting.balance_after or 0)
    for account in accounts.values():
        sequence, head, _ = last.get(account.id, (0, "", 0))
        if (account.sequence, account.chain_hash) != (sequence, head):
            reason = f"head is at {account.sequence}, the last posting at {sequence}"
            yield Difference("chains_hold", f"ledger_account {account.id}", reason)


def link_fault(posting: Any, sequence: int, head: str, balance: int) -> str | None:
    """Why a wallet's posting does not follow the one with this number, hash and balance; None when it does."""
    if posting.sequence != sequence + 1:
        return f"number {posting.sequence} follows {sequence}"
    if posting.balance_after != balance + posting.amount:
        return f"balance {posting.balance_after} does not follow {balance}"
    wanted = chain_hash(
        head, account_id=posting.account_id, sequence=posting.sequence, entry_id=posting.entry_id,
        amount=posting.amount, currency=posting.currency, balance_after=posting.balance_after,
    )  # fmt: skip
    return None if wanted == posting.chain_hash else "its hash does not follow from the one before"


def lines_agree(session: Session) -> Iterator[Difference]:
    """Every booked line shows its entry's effect on the available balance; every wallet entry has a line."""
    rows = session.execute(
        text(
            """
            SELECT t.id, t.balance_before, t.balance_after, coalesce(sum(p.amount), 0) AS moved
            FROM transaction t
            LEFT JOIN posting p ON p.entry_id = t.entry_id
                AND p.account_id IN (SELECT id FROM ledger_account WHERE kind = 'AVAILABLE')
            WHERE t.entry_id IS NOT NULL
            GROUP BY t.id HAVING t.balance_after - t.balance_before IS DISTINCT FROM coalesce(sum(p.amount), 0)
            """
        )
    )
    for row in rows:
        reason = f"shows {row.balance_before} to {row.balance_after}, its entry moved {row.moved}"
        yield Difference("lines_agree", f"transaction {row.id}", reason)
    missing = session.scalars(
        select(JournalEntry.id)
        .outerjoin(Transaction, Transaction.entry_id == JournalEntry.id)
        .where(Transaction.id.is_(None))
    )
    for entry_id in missing:
        yield Difference("lines_agree", f"journal_entry {entry_id}", "no transaction line shows it")
    unbooked = session.scalars(
        select(Transaction.id).where(
            Transaction.status.in_([TransactionStatus.COMPLETED, TransactionStatus.REFUNDED]),
            Transaction.entry_id.is_(None),
        )
    )
    for line_id in unbooked:
        yield Difference("lines_agree", f"transaction {line_id}", "completed without an entry")


def debts_block_spending(session: Session) -> Iterator[Difference]:
    """Nobody who owes has credit to spend: every credit pays the debt first."""
    spendable = aliased(LedgerAccount)
    owing = session.scalars(
        select(LedgerAccount.id)
        .join(spendable, LedgerAccount.customer_id == spendable.customer_id)
        .where(
            LedgerAccount.kind == AccountKind.RECEIVABLE,
            LedgerAccount.balance < 0,
            spendable.kind == AccountKind.AVAILABLE,
            spendable.currency == LedgerAccount.currency,
            spendable.balance > 0,
        )
    )
    for account_id in owing:
        yield Difference("debts_block_spending", f"ledger_account {account_id}", "a debt beside credit to spend")


CHECKS = [entries_balance, balances_equal_postings, chains_hold, lines_agree, debts_block_spending]
