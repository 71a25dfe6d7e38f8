"""The second factor: its secret with the user, recovery codes, and sign-ins that wait for a code."""

import sqlalchemy as sa
from alembic import op

revision = "0002_second_factor"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("user_account", sa.Column("second_factor_secret", sa.Text(), nullable=True))
    op.add_column("user_account", sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("user_account", sa.Column("second_factor_step", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_user_account_second_factor_confirmed"),
        "user_account",
        "second_factor_at IS NULL OR (second_factor_secret IS NOT NULL AND second_factor_step IS NOT NULL)",
    )
    op.create_table(
        "pending_sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("remember", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_pending_sign_in_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_sign_in")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_pending_sign_in_token_digest")),
    )
    op.create_index("ix_pending_sign_in_user_id", "pending_sign_in", ["user_id"])
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_recovery_code_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_digest", name=op.f("uq_recovery_code_code_digest")),
    )
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"])


def downgrade() -> None:
    op.drop_table("recovery_code")
    op.drop_table("pending_sign_in")
    op.drop_constraint(op.f("ck_user_account_second_factor_confirmed"), "user_account")
    op.drop_column("user_account", "second_factor_step")
    op.drop_column("user_account", "second_factor_at")
    op.drop_column("user_account", "second_factor_secret")
