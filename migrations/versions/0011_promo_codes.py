"""Promo codes, who redeemed them, and who may not again."""

import sqlalchemy as sa
from alembic import op

revision = "0011_promo_codes"
down_revision = "0010_import"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promo_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("redemptions_max", sa.BigInteger(), nullable=False),
        sa.Column("redemptions", sa.BigInteger(), nullable=False),
        sa.Column("newcomers_only", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("code ~ '^[A-Z0-9][A-Z0-9-]{2,23}$'", name=op.f("ck_promo_code_code")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_promo_code_amount")),
        sa.CheckConstraint("redemptions BETWEEN 0 AND redemptions_max", name=op.f("ck_promo_code_redemptions")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_promo_code_ends_after_it_starts")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_promo_code_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_code")),
        sa.UniqueConstraint("code", name=op.f("uq_promo_code_code")),
    )
    op.create_index("ix_promo_code_created_at", "promo_code", ["created_at", "id"], unique=False)
    op.create_table(
        "promo_redemption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promo_code_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_promo_redemption_customer_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name=op.f("fk_promo_redemption_entry_id")),
        sa.ForeignKeyConstraint(["promo_code_id"], ["promo_code.id"], name=op.f("fk_promo_redemption_promo_code_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_redemption")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_promo_redemption_entry_id")),
        sa.UniqueConstraint("promo_code_id", "customer_id", name=op.f("uq_promo_redemption_promo_code_id_customer_id")),
    )
    op.create_index("ix_promo_redemption_customer_id", "promo_redemption", ["customer_id"], unique=False)
    op.create_index(
        "ix_promo_redemption_promo_code_id_redeemed_at",
        "promo_redemption",
        ["promo_code_id", "redeemed_at", "id"],
        unique=False,
    )
    op.create_table(
        "promo_claim",
        sa.Column("promo_code_id", sa.Uuid(), nullable=False),
        sa.Column("identity_digest", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["promo_code_id"], ["promo_code.id"], name=op.f("fk_promo_claim_promo_code_id")),
        sa.PrimaryKeyConstraint("promo_code_id", "identity_digest", name=op.f("pk_promo_claim")),
    )


def downgrade() -> None:
    op.drop_table("promo_claim")
    op.drop_table("promo_redemption")
    op.drop_table("promo_code")
