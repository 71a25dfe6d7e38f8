"""The double-entry ledger and the customer's transactions.

Signs: positive is credit, negative is debit, and an entry sums to zero per currency. So a wallet's postings sum to
what its customer may spend (our debt to them), and a clearing account below zero is what a gateway owes us.
The database itself refuses what must not be: see migrations/sql/ledger.sql.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified
from portal.core.money import Money


class AccountKind(StrEnum):
    """Wallet sub-accounts carry a cached balance; system accounts are summed when somebody asks."""

    AVAILABLE = "AVAILABLE"  # what the customer may spend
    HELD = "HELD"  # set aside: holds, refunds under way
    RECEIVABLE = "RECEIVABLE"  # debt after a chargeback: zero or negative; the next credit pays it first
    GATEWAY_CLEARING = "GATEWAY_CLEARING"
    GATEWAY_FEES = "GATEWAY_FEES"
    BANK = "BANK"
    REVENUE = "REVENUE"
    DEFERRED_REVENUE = "DEFERRED_REVENUE"
    PPN_PAYABLE = "PPN_PAYABLE"
    PROMOTIONS = "PROMOTIONS"
    ADJUSTMENTS = "ADJUSTMENTS"
    OPENING_BALANCE = "OPENING_BALANCE"
    PAYOUTS = "PAYOUTS"
    FORFEITS = "FORFEITS"


WALLET_KINDS = (AccountKind.AVAILABLE, AccountKind.HELD, AccountKind.RECEIVABLE)


class EntryKind(StrEnum):
    TOP_UP = "TOP_UP"
    TOP_UP_REVERSAL = "TOP_UP_REVERSAL"  # settlement denied afterwards
    GATEWAY_REFUND = "GATEWAY_REFUND"
    CHARGEBACK = "CHARGEBACK"
    PURCHASE = "PURCHASE"
    PURCHASE_REFUND = "PURCHASE_REFUND"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    DEBT_PAYMENT = "DEBT_PAYMENT"
    ADJUSTMENT = "ADJUSTMENT"
    OPENING_BALANCE = "OPENING_BALANCE"
    PROMO = "PROMO"
    PAYOUT = "PAYOUT"
    FORFEIT = "FORFEIT"


class TransactionType(StrEnum):
    TOP_UP = "TOP_UP"
    SUBSCRIPTION = "SUBSCRIPTION"
    RENEWAL = "RENEWAL"
    UPGRADE = "UPGRADE"
    SETUP_FEE = "SETUP_FEE"
    REFUND = "REFUND"
    PROMO = "PROMO"
    HOLD = "HOLD"  # set aside for the waitlist, and what comes back of it
    ADMIN_ADJUSTMENT = "ADMIN_ADJUSTMENT"
    OPENING_BALANCE = "OPENING_BALANCE"  # brought along from the system before


class TransactionStatus(StrEnum):
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"


class LedgerAccount(Identified, Base):
    """An account of the books. `customer_id` is set for wallet accounts only; `gateway` for clearing accounts."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("customer_id", "kind", "currency", "qualifier", postgresql_nulls_not_distinct=True),
        CheckConstraint("kind <> 'AVAILABLE' OR balance >= 0", name="available_not_negative"),
        CheckConstraint("kind <> 'HELD' OR balance >= 0", name="held_not_negative"),
        CheckConstraint("kind <> 'RECEIVABLE' OR balance <= 0", name="receivable_not_positive"),
        CheckConstraint(
            "(kind IN ('AVAILABLE', 'HELD', 'RECEIVABLE')) = (customer_id IS NOT NULL)",
            name="wallets_have_owners",
        ),
        CheckConstraint("customer_id IS NOT NULL OR (balance = 0 AND sequence = 0)", name="system_is_summed"),
    )

    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    qualifier: Mapped[str | None] = mapped_column(String(30))  # the gateway of a clearing account
    balance: Mapped[int] = mapped_column(default=0)  # cached, wallet accounts only
    sequence: Mapped[int] = mapped_column(default=0)  # of the last posting, wallet accounts only
    chain_hash: Mapped[str] = mapped_column(String(64), default="")  # head of the wallet's chain
    created_at: Mapped[datetime]

    @property
    def money(self) -> Money:
        return Money(self.balance, self.currency)


class JournalEntry(Identified, Base):
    """One balanced entry: what happened, once, under its idempotency key."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        Index("ix_journal_entry_reference", "reference_kind", "reference_id"),
        Index("ix_journal_entry_happened_at", "happened_at", "id"),
        Index("ix_journal_entry_kind_happened_at", "kind", "happened_at", "id"),
    )

    kind: Mapped[str] = mapped_column(String(30))
    idempotency_key: Mapped[str] = mapped_column(String(200), unique=True)
    reference_kind: Mapped[str] = mapped_column(String(30))
    reference_id: Mapped[UUID]
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("journal_entry.id"))
    happened_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class Posting(Identified, Base):
    """One side of an entry: a signed amount on one account. Wallet postings are numbered and chained.

    `balance_after` lets the database prove, in constant time, that a cached balance is that of its last posting.
    """

    __tablename__ = "posting"
    __table_args__ = (
        Index(
            "uq_posting_account_id_sequence",
            "account_id",
            "sequence",
            unique=True,
            postgresql_where=text("sequence IS NOT NULL"),
        ),
        # With the amounts in it, an account is summed without reading its rows.
        Index("ix_posting_account_id_id", "account_id", "id", postgresql_include=["amount"]),
        Index("ix_posting_entry_id", "entry_id"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
    )

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("journal_entry.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_account.id"))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    sequence: Mapped[int | None]  # wallet accounts only, like the two below
    balance_after: Mapped[int | None]
    chain_hash: Mapped[str | None] = mapped_column(String(64))


class AdjustmentStatus(StrEnum):
    WAITING = "WAITING"  # for another administrator
    BOOKED = "BOOKED"
    REJECTED = "REJECTED"


class AdjustmentRequest(Identified, Base):
    """A correction of a wallet that an administrator asked for. Up to the limit it is booked at once, and nobody else
    decides (`decided_by` is None); above it another administrator books or rejects it, never the one who asked."""

    __tablename__ = "adjustment_request"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        CheckConstraint("decided_by <> asked_by", name="decided_by_another"),
        CheckConstraint("status IN ('WAITING', 'BOOKED', 'REJECTED')", name="status"),
        CheckConstraint("(status = 'WAITING') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("(status = 'BOOKED') = (entry_id IS NOT NULL)", name="booked_has_entry"),
        CheckConstraint("status <> 'REJECTED' OR decided_by IS NOT NULL", name="rejected_by_somebody"),
        CheckConstraint("decided_by IS NULL OR decided_at IS NOT NULL", name="waiting_is_undecided"),
        UniqueConstraint("unique_key"),
        UniqueConstraint("entry_id"),
        Index("ix_adjustment_request_asked_at", "asked_at", "id"),
        Index("ix_adjustment_request_customer_id", "customer_id", "asked_at"),
        Index("ix_adjustment_request_waiting", "asked_at", postgresql_where=text("status = 'WAITING'")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]  # signed, whole rupiah: what it does to the available balance
    reason: Mapped[str] = mapped_column(String(200))  # the customer reads it
    status: Mapped[str] = mapped_column(String(10), default=AdjustmentStatus.WAITING)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("journal_entry.id"))
    unique_key: Mapped[str] = mapped_column(String(64))  # made by the form, so that a double click is one

    @property
    def money(self) -> Money:
        return Money(self.amount)

    @property
    def waiting(self) -> bool:
        return self.status == AdjustmentStatus.WAITING


class Transaction(Identified, Base):
    """What the customer sees: one line per happening, with the available balance before and after it."""

    __tablename__ = "transaction"
    __table_args__ = (
        Index("ix_transaction_customer_id_created_at", "customer_id", "created_at"),
        Index("ix_transaction_reference", "reference_kind", "reference_id"),
        Index("ix_transaction_entry_id", "entry_id"),
        UniqueConstraint("unique_key"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    type: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    amount: Mapped[int]  # signed: what it does, or would do, to the available balance
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    balance_before: Mapped[int | None]  # None while nothing was booked
    balance_after: Mapped[int | None]
    code: Mapped[str] = mapped_column(String(60))  # worded when shown
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    reference_kind: Mapped[str] = mapped_column(String(30))
    reference_id: Mapped[UUID]
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("journal_entry.id"))
    unique_key: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)
