"""Refunds that the gateway is asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0012_gateway_refunds"
down_revision = "0011_promo_codes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="IDR", nullable=False),
        sa.Column("expected_total", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("gateway_code", sa.String(length=40), nullable=True),
        sa.Column("unique_key", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_refund_amount")),
        sa.CheckConstraint("expected_total >= amount", name=op.f("ck_payment_refund_expected_total")),
        sa.CheckConstraint("status IN ('REQUESTED', 'DONE', 'REFUSED')", name=op.f("ck_payment_refund_status")),
        sa.CheckConstraint("(status = 'REQUESTED') = (decided_at IS NULL)", name=op.f("ck_payment_refund_decided")),
        sa.ForeignKeyConstraint(["asked_by"], ["user_account.id"], name=op.f("fk_payment_refund_asked_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_payment_refund_customer_id")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["gateway_transaction.id"], name=op.f("fk_payment_refund_transaction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_refund")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_payment_refund_unique_key")),
    )
    op.create_index("ix_payment_refund_transaction_id", "payment_refund", ["transaction_id"], unique=False)
    op.create_index("ix_payment_refund_customer_id", "payment_refund", ["customer_id"], unique=False)
    op.create_index(
        "uq_payment_refund_open",
        "payment_refund",
        ["transaction_id"],
        unique=True,
        postgresql_where=sa.text("status = 'REQUESTED'"),
    )


def downgrade() -> None:
    op.drop_table("payment_refund")
