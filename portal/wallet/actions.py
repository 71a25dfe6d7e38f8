"""The verbs of the wallet. Each moves money once per key and writes the customer's transaction line with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.core import events
from portal.core.ids import new_id
from portal.core.money import Money
from portal.core.rows import insert_all
from portal.wallet.errors import InsufficientCredit
from portal.wallet.ledger import (
    Entry,
    Reference,
    Side,
    Wallet,
    booked,
    lock_available,
    lock_wallet,
    post,
    post_all,
    system_account,
    system_accounts,
)
from portal.wallet.models import (
    AccountKind,
    EntryKind,
    LedgerAccount,
    Transaction,
    TransactionStatus,
    TransactionType,
)
from portal.wallet.rules import split_claw_back, split_credit

INCOME = (AccountKind.REVENUE, AccountKind.PPN_PAYABLE)


@dataclass(frozen=True)
class Line:
    """How a happening reads on the customer's list: its type, and a code with parameters worded when shown."""

    type: TransactionType
    code: str
    parameters: dict[str, Any]


def credit_top_up(
    session: Session, customer_id: UUID, amount: Money, *, gateway: str, key: str, payment_id: UUID, line: Line,
    now: datetime,
) -> bool:  # fmt: skip
    """Books a settled gateway transaction: a debt is paid first, the rest may be spent. False on a repeat of `key`.

    The payment's pending line is completed; a second settled transaction of the same payment gets a line of its own.
    Records `wallet.credited`.
    """
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    clearing = system_account(
        session, AccountKind.GATEWAY_CLEARING, now=now, currency=amount.currency, qualifier=gateway
    )
    before = wallet.spendable
    split = split_credit(amount.amount, debt=wallet.debt)
    entry_id = post(
        session, EntryKind.TOP_UP, key=key, about=Reference("payment", payment_id), now=now,
        sides=[Side(clearing, -amount.amount), Side(wallet.available, split.available),
               Side(wallet.receivable, split.receivable)],
    )  # fmt: skip
    if entry_id is None:
        return False
    pending = _pending_line(session, payment_id)
    if pending is not None:
        _complete(pending, entry_id, wallet, before, amount, now)
    else:
        write_line(
            session, customer_id, line, wallet, before, amount, Reference("payment", payment_id), entry_id, key, now
        )
    events.record(session, "wallet.credited", customer_id=customer_id)
    return True


def take_back_top_up(
    session: Session, customer_id: UUID, amount: Money, *, kind: EntryKind, gateway: str, key: str, payment_id: UUID,
    line: Line, now: datetime,
) -> bool:  # fmt: skip
    """Books money a gateway took back (refund, chargeback, reversal); what was spent becomes a debt. Once per key.

    Records `wallet.indebted` with a debt: what the customer has set aside is given back at once, and pays it first.
    """
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    clearing = system_account(
        session, AccountKind.GATEWAY_CLEARING, now=now, currency=amount.currency, qualifier=gateway
    )
    before = wallet.spendable
    split = split_claw_back(amount.amount, available=before.amount)
    about = Reference("payment", payment_id)
    entry_id = post(
        session, kind, key=key, about=about, now=now,
        sides=[Side(clearing, amount.amount), Side(wallet.available, split.available),
               Side(wallet.receivable, split.receivable)],
    )  # fmt: skip
    if entry_id is None:
        return False
    write_line(session, customer_id, line, wallet, before, -amount, about, entry_id, key, now)
    if split.receivable:
        events.record(session, "wallet.indebted", customer_id=customer_id)
    return True


@dataclass(frozen=True)
class Bill:
    """Something to pay from a customer's available credit; `ppn` is contained in the total."""

    customer_id: UUID
    total: Money
    ppn: Money
    key: str
    about: Reference
    line: Line


def pay(
    session: Session, customer_id: UUID, total: Money, *, ppn: Money, key: str, about: Reference, line: Line,
    now: datetime,
) -> UUID | None:  # fmt: skip
    """`pay_all` for one bill: its entry's id; None on a repeat of `key`, and for a price of zero."""
    return pay_all(session, [Bill(customer_id, total, ppn, key, about, line)], now=now).get(key)


def pay_all(session: Session, bills: Sequence[Bill], *, now: datetime) -> dict[str, UUID]:
    """Pays bills in their order from available credit, revenue and PPN payable in one entry each; entry ids by key.

    What costs nothing, or is booked under its key already, books nothing and is left out. Raises `InsufficientCredit`
    with the exact shortfall at the first that its customer cannot pay: then no bill is paid.
    """
    bills = [bill for bill in bills if bill.total]
    if not bills:
        return {}
    accounts = lock_available(session, {bill.customer_id for bill in bills}, now=now)
    bills = _affordable(session, bills, accounts)
    income = system_accounts(session, *INCOME, now=now)
    left = {customer_id: account.money for customer_id, account in accounts.items()}
    posted = post_all(session, [_purchase(bill, accounts[bill.customer_id], income) for bill in bills], now=now)
    rows = []
    for bill in bills:
        if bill.key in posted:
            before = left[bill.customer_id]
            after = left[bill.customer_id] = before - bill.total
            rows.append(_line_row(bill.customer_id, bill.line, before, after, -bill.total, bill.about,
                                  posted[bill.key], bill.key, now))  # fmt: skip
    insert_all(session, Transaction, rows)
    return posted


def _affordable(session: Session, bills: Sequence[Bill], accounts: dict[UUID, LedgerAccount]) -> list[Bill]:
    """The bills, without those that are paid already where credit falls short: a repeat is no refusal."""
    if _first_uncovered(bills, accounts) is None:
        return list(bills)
    known = booked(session, [bill.key for bill in bills])
    new = [bill for bill in bills if bill.key not in known]
    refused = _first_uncovered(new, accounts)
    if refused is not None:
        raise InsufficientCredit(needed=refused[0].total, available=refused[1])
    return new


def _first_uncovered(bills: Sequence[Bill], accounts: dict[UUID, LedgerAccount]) -> tuple[Bill, Money] | None:
    left = {customer_id: account.money for customer_id, account in accounts.items()}
    for bill in bills:
        if left[bill.customer_id] < bill.total:
            return bill, left[bill.customer_id]
        left[bill.customer_id] -= bill.total
    return None


def _purchase(bill: Bill, account: LedgerAccount, income: Sequence[LedgerAccount]) -> Entry:
    sides = [Side(account, -bill.total.amount), *_income(income, bill.total, bill.ppn)]
    return Entry(EntryKind.PURCHASE, bill.key, bill.about, sides)


def refund_purchase(
    session: Session, customer_id: UUID, total: Money, *, ppn: Money, key: str, about: Reference, corrects_id: UUID,
    line: Line, now: datetime,
) -> bool:  # fmt: skip
    """Gives back what was paid, as a new entry that points at the old one. False on a repeat of `key`.

    Like every credit it pays a debt first and records `wallet.credited`.
    """
    wallet = lock_wallet(session, customer_id, now=now, currency=total.currency)
    before = wallet.spendable
    split = split_credit(total.amount, debt=wallet.debt)
    income = system_accounts(session, *INCOME, now=now, currency=total.currency)
    taken_back = [Side(side.account, -side.amount) for side in _income(income, total, ppn)]
    entry_id = post(
        session, EntryKind.PURCHASE_REFUND, key=key, about=about, now=now, corrects_id=corrects_id,
        sides=[Side(wallet.available, split.available), Side(wallet.receivable, split.receivable), *taken_back],
    )  # fmt: skip
    if entry_id is None:
        return False
    write_line(session, customer_id, line, wallet, before, total, about, entry_id, key, now)
    events.record(session, "wallet.credited", customer_id=customer_id)
    return True


def give(
    session: Session, customer_id: UUID, amount: Money, *, kind: EntryKind, source: AccountKind, key: str,
    about: Reference, line: Line, now: datetime,
) -> UUID | None:  # fmt: skip
    """Credit out of a system account of our own: a debt is paid first, the rest may be spent. The entry's id; None on
    a repeat of `key`. Records `wallet.credited`."""
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    before, split = wallet.spendable, split_credit(amount.amount, debt=wallet.debt)
    giver = system_account(session, source, now=now, currency=amount.currency)
    sides = [Side(wallet.available, split.available), Side(wallet.receivable, split.receivable),
             Side(giver, -amount.amount)]  # fmt: skip
    entry_id = post(session, kind, key=key, about=about, sides=sides, now=now)
    if entry_id is not None:
        write_line(session, customer_id, line, wallet, before, amount, about, entry_id, key, now)
        events.record(session, "wallet.credited", customer_id=customer_id)
    return entry_id


def adjust(session: Session, customer_id: UUID, amount: Money, *, key: str, reason: str, now: datetime) -> bool:
    """An administrator's correction, up or down, with its reason. Never below zero. False on a repeat of `key`."""
    wallet = lock_wallet(session, customer_id, now=now, currency=amount.currency)
    before = wallet.spendable
    if amount.amount < 0 and before < -amount:
        refuse_unless_repeated(session, key, needed=-amount, available=before)
        return False
    split = split_credit(amount.amount, debt=wallet.debt) if amount.amount > 0 else None
    sides = [
        Side(wallet.available, split.available if split else amount.amount),
        Side(wallet.receivable, split.receivable if split else 0),
        Side(system_account(session, AccountKind.ADJUSTMENTS, now=now, currency=amount.currency), -amount.amount),
    ]
    about = Reference("customer", customer_id)
    entry_id = post(session, EntryKind.ADJUSTMENT, key=key, about=about, sides=sides, now=now, reason=reason)
    if entry_id is None:
        return False
    line = Line(TransactionType.ADMIN_ADJUSTMENT, "adjustment", {"reason": reason})
    write_line(session, customer_id, line, wallet, before, amount, about, entry_id, key, now)
    if amount.amount > 0:
        events.record(session, "wallet.credited", customer_id=customer_id)
    return True


def forfeit(session: Session, customer_id: UUID, *, now: datetime) -> Money:
    """Gives up the whole available credit, at the customer's explicit choice; returns how much. A repeat: zero."""
    wallet = lock_wallet(session, customer_id, now=now)
    before = wallet.spendable
    if not before:
        return before
    account = system_account(session, AccountKind.FORFEITS, now=now, currency=before.currency)
    about = Reference("customer", customer_id)
    key = f"forfeit:{customer_id}:{wallet.available.sequence}"
    sides = [Side(wallet.available, -before.amount), Side(account, before.amount)]
    entry_id = post(session, EntryKind.FORFEIT, key=key, about=about, sides=sides, now=now)
    assert entry_id is not None, "the key holds the wallet's own sequence"
    line = Line(TransactionType.ADMIN_ADJUSTMENT, "forfeit", {})
    write_line(session, customer_id, line, wallet, before, -before, about, entry_id, key, now)
    return before


def note_pending_top_up(
    session: Session, customer_id: UUID, amount: Money, *, payment_id: UUID, line: Line, now: datetime
) -> None:
    """Puts a top-up that is not paid yet on the customer's list. A repeat changes nothing."""
    row = {
        "id": new_id(), "customer_id": customer_id, "type": line.type, "status": TransactionStatus.PENDING,
        "amount": amount.amount, "currency": amount.currency, "code": line.code, "parameters": line.parameters,
        "reference_kind": "payment", "reference_id": payment_id, "unique_key": f"payment:{payment_id}",
        "created_at": now,
    }  # fmt: skip
    session.execute(upsert(Transaction).values(row).on_conflict_do_nothing(index_elements=["unique_key"]))


def close_pending_top_up(session: Session, payment_id: UUID, status: TransactionStatus, *, now: datetime) -> None:
    """Marks a top-up's line as failed or cancelled; a line that was completed keeps its state."""
    line = _pending_line(session, payment_id)
    if line is not None:
        line.status, line.completed_at = status, now


def mark_refunded(session: Session, payment_id: UUID) -> None:
    """Shows a top-up that was wholly taken back as refunded; its figures stay."""
    line = session.scalar(select(Transaction).where(Transaction.unique_key == f"payment:{payment_id}"))
    if line is not None and line.status == TransactionStatus.COMPLETED:
        line.status = TransactionStatus.REFUNDED


def refuse_unless_repeated(session: Session, key: str, *, needed: Money, available: Money) -> None:
    """A repeat of what was paid already is no refusal, however little is left."""
    if not booked(session, [key]):
        raise InsufficientCredit(needed=needed, available=available)


def _income(accounts: Sequence[LedgerAccount], total: Money, ppn: Money) -> list[Side]:
    revenue, payable = accounts
    return [Side(revenue, (total - ppn).amount), Side(payable, ppn.amount)]


def _pending_line(session: Session, payment_id: UUID) -> Transaction | None:
    """The top-up's own line while nothing was booked on it (also when shown as cancelled or failed)."""
    statement = select(Transaction).where(
        Transaction.unique_key == f"payment:{payment_id}", Transaction.entry_id.is_(None)
    )
    return session.scalar(statement.with_for_update())


def _complete(line: Transaction, entry_id: UUID, wallet: Wallet, before: Money, amount: Money, now: datetime) -> None:
    line.status, line.entry_id, line.completed_at = TransactionStatus.COMPLETED, entry_id, now
    line.amount = amount.amount
    line.balance_before, line.balance_after = before.amount, wallet.available.balance


def write_line(
    session: Session, customer_id: UUID, line: Line, wallet: Wallet, before: Money, amount: Money, about: Reference,
    entry_id: UUID, key: str, now: datetime,
) -> None:  # fmt: skip
    after = wallet.available.money
    insert_all(session, Transaction, [_line_row(customer_id, line, before, after, amount, about, entry_id, key, now)])


def _line_row(
    customer_id: UUID, line: Line, before: Money, after: Money, amount: Money, about: Reference, entry_id: UUID,
    key: str, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": new_id(), "customer_id": customer_id, "type": line.type, "status": TransactionStatus.COMPLETED,
        "amount": amount.amount, "currency": amount.currency, "balance_before": before.amount,
        "balance_after": after.amount, "code": line.code, "parameters": line.parameters,
        "reference_kind": about.kind, "reference_id": about.id, "entry_id": entry_id, "unique_key": key,
        "created_at": now, "completed_at": now,
    }  # fmt: skip
