"""Payments, their attempts, the gateway's transactions under them, and raw gateway events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Identified
from portal.core.money import Money


class PaymentPurpose(StrEnum):
    TOP_UP = "TOP_UP"


class PaymentStatus(StrEnum):
    """What the customer sees of a payment; `rules.TRANSITIONS` says what may follow what."""

    CREATED = "CREATED"  # ours; the gateway knows no method yet
    PENDING = "PENDING"  # a method was chosen: waiting for the customer's money
    SETTLED = "SETTLED"
    PAID_LATE = "PAID_LATE"  # settled after we had shown it as expired, cancelled or failed: credited all the same
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    IN_REVIEW = "IN_REVIEW"  # challenge, or an amount that differs: held for a person to decide
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    CHARGED_BACK = "CHARGED_BACK"
    REVERSED = "REVERSED"  # settled, then denied by the bank


class Payment(Identified, Base):
    """What the customer asked to pay, whatever happens at the gateway."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("customer_id", "idempotency_key"),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payment_open", "expires_at", postgresql_where=text("status IN ('CREATED', 'PENDING')")),
        Index("ix_payment_customer_id_created_at", "customer_id", "created_at"),
        Index("ix_payment_transfer", "created_at", "id", postgresql_where=text("gateway = 'bank_transfer'")),
        Index(
            "ix_payment_transfer_queue",
            "created_at",
            "id",
            postgresql_where=text("gateway = 'bank_transfer' AND status = 'IN_REVIEW'"),
        ),
        Index("ix_payment_created_at", "created_at", "id"),
        Index("ix_payment_status_created_at", "status", "created_at", "id"),
        Index("ix_payment_method_created_at", "method", "created_at", "id"),
        Index("ix_payment_amount", "amount", "id"),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    purpose: Mapped[str] = mapped_column(String(20), default=PaymentPurpose.TOP_UP)
    gateway: Mapped[str] = mapped_column(String(20), default="midtrans")
    method: Mapped[str] = mapped_column(String(30))  # chosen on our page: bca_va, gopay, qris, credit_card …
    status: Mapped[str] = mapped_column(String(20), default=PaymentStatus.CREATED)
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="IDR")
    idempotency_key: Mapped[str] = mapped_column(String(64))  # made by the form, so that a double click is one
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    last_checked_at: Mapped[datetime | None]

    attempts: Mapped[list[PaymentAttempt]] = relationship(lazy="raise", order_by="PaymentAttempt.number")

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def open(self) -> bool:
        return self.status in (PaymentStatus.CREATED, PaymentStatus.PENDING)


class PaymentAttempt(Identified, Base):
    """One order at the gateway. `order_id` is committed before the gateway hears of it."""

    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("payment_id", "number"),
        UniqueConstraint("gateway", "order_id"),
        Index("ix_payment_attempt_order_id", "order_id"),
        Index("ix_payment_attempt_order_id_prefix", "order_id", postgresql_ops={"order_id": "text_pattern_ops"}),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payment.id"), index=True)
    gateway: Mapped[str] = mapped_column(String(20))
    number: Mapped[int] = mapped_column(default=1)
    order_id: Mapped[str] = mapped_column(String(50))
    token: Mapped[str | None] = mapped_column(String(64))
    redirect_url: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]  # when a checkout was last asked for: one caller at a time
    last_error: Mapped[str | None] = mapped_column(String(200))


class GatewayTransaction(Identified, Base):
    """A transaction the gateway reported under an order; one order may have several. All figures are the gateway's."""

    __tablename__ = "gateway_transaction"
    __table_args__ = (
        UniqueConstraint("gateway", "transaction_id"),
        Index("ix_gateway_transaction_attempt_id", "attempt_id"),
        Index("ix_gateway_transaction_transaction_id", "transaction_id"),
    )

    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempt.id"))
    gateway: Mapped[str] = mapped_column(String(20))
    transaction_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(30))  # the gateway's own word, lower case
    fraud_status: Mapped[str | None] = mapped_column(String(20))
    payment_type: Mapped[str] = mapped_column(String(40), default="")
    gross_amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    credited: Mapped[int] = mapped_column(default=0)  # booked to the wallet for this transaction
    taken_back: Mapped[int] = mapped_column(default=0)  # refunds, chargebacks and reversals booked so far
    instructions: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)  # VA number, bill key: shown to pay
    first_seen_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    rejected_at: Mapped[datetime | None]  # a person decided that what differs is not credited


class RefundStatus(StrEnum):
    REQUESTED = "REQUESTED"  # the credit is held; the gateway was asked, or will be
    DONE = "DONE"
    REFUSED = "REFUSED"


class PaymentRefund(Identified, Base):
    """A refund that an administrator asked the gateway for. Its id is the gateway's refund key: a repeat sends nothing
    twice. It is done once the gateway's status says that `expected_total` of the transaction was taken back."""

    __tablename__ = "payment_refund"
    __table_args__ = (
        UniqueConstraint("unique_key"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("expected_total >= amount", name="expected_total"),
        CheckConstraint("status IN ('REQUESTED', 'DONE', 'REFUSED')", name="status"),
        CheckConstraint("(status = 'REQUESTED') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("accepted_at IS NULL OR tried_at IS NOT NULL", name="accepted"),
        Index("ix_payment_refund_transaction_id", "transaction_id"),
        Index("ix_payment_refund_customer_id", "customer_id"),
        Index(
            "uq_payment_refund_open", "transaction_id", unique=True, postgresql_where=text("status = 'REQUESTED'"),
        ),
    )  # fmt: skip

    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("gateway_transaction.id"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="IDR", server_default="IDR")
    expected_total: Mapped[int]  # of the transaction, once this one is through
    reason: Mapped[str] = mapped_column(String(300))
    status: Mapped[str] = mapped_column(String(10))
    gateway_code: Mapped[str | None] = mapped_column(String(40))  # why it was refused
    unique_key: Mapped[str] = mapped_column(String(64))  # made by the form, so that a double click is one
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    asked_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]  # from here on the gateway may have taken it, whatever it answered
    accepted_at: Mapped[datetime | None]  # it said that it did
    decided_at: Mapped[datetime | None]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class GatewayEvent(Identified, Base):
    """A notification exactly as it came, with our verdict. Replaying one only re-reads the gateway's status."""

    __tablename__ = "gateway_event"
    __table_args__ = (
        UniqueConstraint("gateway", "body_digest"),
        Index("ix_gateway_event_order_id", "order_id"),
        Index("ix_gateway_event_received_at", "received_at"),
        Index("ix_gateway_event_verdict_received_at", "verdict", "received_at", "id"),
        Index("ix_gateway_event_unread", "received_at", "id", postgresql_where=text("processed_at IS NULL")),
    )

    gateway: Mapped[str] = mapped_column(String(20))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    body_digest: Mapped[str] = mapped_column(String(64))
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict, server_default="{}")  # of the first time
    order_id: Mapped[str] = mapped_column(String(80), default="")
    verdict: Mapped[str] = mapped_column(String(30))  # queued | test_ping | unknown_order
    received_at: Mapped[datetime]
    received_count: Mapped[int] = mapped_column(default=1)
    processed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
