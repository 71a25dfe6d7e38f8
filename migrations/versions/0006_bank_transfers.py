"""Bank transfers checked by us, their proofs, and a company's details on documents."""

import sqlalchemy as sa
from alembic import op

revision = "0006_bank_transfers"
down_revision = "0005_money_administration"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("npwp", sa.String(length=16), nullable=True))
    op.add_column("customer", sa.Column("billing_address", sa.String(length=300), nullable=True))
    op.create_table(
        "bank_transfer",
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("received_amount", sa.BigInteger(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("bank_reference", sa.String(length=60), nullable=True),
        sa.Column("proposed_by", sa.Uuid(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name=op.f("ck_bank_transfer_decided")),
        sa.CheckConstraint("proposed_by <> decided_by", name=op.f("ck_bank_transfer_two_people")),
        sa.CheckConstraint("received_amount > 0", name=op.f("ck_bank_transfer_received_amount")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_bank_transfer_decided_by")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_bank_transfer_payment_id")),
        sa.ForeignKeyConstraint(["proposed_by"], ["user_account.id"], name=op.f("fk_bank_transfer_proposed_by")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_bank_transfer")),
        sa.UniqueConstraint("reference", name=op.f("uq_bank_transfer_reference")),
    )
    op.create_index(
        "uq_bank_transfer_bank_line",
        "bank_transfer",
        ["bank_reference", "received_on"],
        unique=True,
        postgresql_where=sa.text("decided_at IS NOT NULL AND taken_back_at IS NULL"),
    )
    op.create_table(
        "transfer_proof",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(length=30), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["bank_transfer.payment_id"], name=op.f("fk_transfer_proof_payment_id")
        ),
        sa.ForeignKeyConstraint(["uploaded_by"], ["user_account.id"], name=op.f("fk_transfer_proof_uploaded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_proof")),
    )
    op.create_index("ix_transfer_proof_digest", "transfer_proof", ["digest"], unique=False)
    op.create_index("ix_transfer_proof_payment_id", "transfer_proof", ["payment_id"], unique=False)
    op.create_index(
        "ix_payment_transfer",
        "payment",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("gateway = 'bank_transfer'"),
    )
    op.create_index(
        "ix_payment_transfer_queue",
        "payment",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("gateway = 'bank_transfer' AND status = 'IN_REVIEW'"),
    )


def downgrade() -> None:
    op.drop_index("ix_payment_transfer_queue", table_name="payment")
    op.drop_index("ix_payment_transfer", table_name="payment")
    op.drop_table("transfer_proof")
    op.drop_table("bank_transfer")
    op.drop_column("customer", "billing_address")
    op.drop_column("customer", "npwp")
