"""What a bank transfer has beside its payment, and the proofs that were uploaded for it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Identified


class BankTransfer(Base):
    """A payment that a person looks for on our bank account; its state is the payment's (`rules.state_of`).

    The facts of the bank (`received_amount`, `received_on`, `bank_reference`) are what an administrator read on our
    account. `proposed_by` is the first of two administrators, where two are needed.
    """

    __tablename__ = "bank_transfer"
    __table_args__ = (
        CheckConstraint("received_amount > 0", name="received_amount"),
        CheckConstraint("proposed_by <> decided_by", name="two_people"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided"),
        # One line of our account is credited once, whoever claims it; taken back, it may be credited to the right one.
        Index(
            "uq_bank_transfer_bank_line", "bank_reference", "received_on", unique=True,
            postgresql_where=text("decided_at IS NOT NULL AND taken_back_at IS NULL"),
        ),
    )  # fmt: skip

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payment.id"), primary_key=True)
    reference: Mapped[str] = mapped_column(String(20), unique=True)  # what the customer writes into the transfer
    received_amount: Mapped[int | None]
    received_on: Mapped[date | None]
    bank_reference: Mapped[str | None] = mapped_column(String(60))
    proposed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    proposed_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(300))  # of a rejection, shown to the customer
    taken_back_at: Mapped[datetime | None]  # wholly


class TransferProof(Identified, Base):
    """An uploaded proof, as we made it anew; the name it came with is not kept. The newest one counts."""

    __tablename__ = "transfer_proof"
    __table_args__ = (
        Index("ix_transfer_proof_payment_id", "payment_id"),
        Index("ix_transfer_proof_digest", "digest"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("bank_transfer.payment_id"))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    content_type: Mapped[str] = mapped_column(String(30))
    size: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))  # of what is seen: the same picture again has the same
    uploaded_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    uploaded_at: Mapped[datetime]

    @property
    def is_picture(self) -> bool:
        return self.content_type.startswith("image/")
