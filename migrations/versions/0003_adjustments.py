"""Adjustments that wait for a second administrator; sessions that view as a customer; indexes for a user's story."""

import sqlalchemy as sa
from alembic import op

revision = "0003_adjustments"
down_revision = "0002_second_factor"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    _create_adjustments()
    _let_sessions_view()
    op.create_index("ix_user_account_name", "user_account", ["name", "id"])
    op.create_index(
        "ix_mail_to_address", "mail", ["to_address", "created_at"], postgresql_where=sa.text("user_id IS NULL")
    )


def _create_adjustments() -> None:
    op.create_table(
        "adjustment_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("unique_key", sa.String(length=64), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_adjustment_request_amount_not_zero")),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_adjustment_request_decided_by_another")),
        sa.CheckConstraint("status IN ('WAITING', 'BOOKED', 'REJECTED')", name=op.f("ck_adjustment_request_status")),
        sa.CheckConstraint("(status = 'WAITING') = (decided_at IS NULL)", name=op.f("ck_adjustment_request_decided")),
        sa.CheckConstraint(
            "(status = 'BOOKED') = (entry_id IS NOT NULL)", name=op.f("ck_adjustment_request_booked_has_entry")
        ),
        sa.CheckConstraint(
            "status <> 'REJECTED' OR decided_by IS NOT NULL", name=op.f("ck_adjustment_request_rejected_by_somebody")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_at IS NOT NULL", name=op.f("ck_adjustment_request_waiting_is_undecided")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["user_account.id"], name=op.f("fk_adjustment_request_asked_by")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_adjustment_request_customer_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_adjustment_request_decided_by")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name=op.f("fk_adjustment_request_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment_request")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_adjustment_request_entry_id")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_adjustment_request_unique_key")),
    )
    op.create_index("ix_adjustment_request_asked_at", "adjustment_request", ["asked_at", "id"])
    op.create_index("ix_adjustment_request_customer_id", "adjustment_request", ["customer_id", "asked_at"])
    op.create_index(
        "ix_adjustment_request_waiting", "adjustment_request", ["asked_at"],
        postgresql_where=sa.text("status = 'WAITING'"),
    )  # fmt: skip


def _let_sessions_view() -> None:
    op.add_column("user_session", sa.Column("views_user_id", sa.Uuid(), nullable=True))
    op.add_column("user_session", sa.Column("views_customer_id", sa.Uuid(), nullable=True))
    op.add_column("user_session", sa.Column("views_until", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key("fk_user_session_views_user_id", "user_session", "user_account", ["views_user_id"], ["id"])
    op.create_foreign_key(
        "fk_user_session_views_customer_id", "user_session", "customer", ["views_customer_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_user_session_views"),
        "user_session",
        "num_nonnulls(views_user_id, views_customer_id, views_until) IN (0, 3)",
    )


def downgrade() -> None:
    op.drop_index("ix_mail_to_address", table_name="mail")
    op.drop_index("ix_user_account_name", table_name="user_account")
    op.drop_constraint("ck_user_session_views", "user_session")
    for column in ("views_until", "views_customer_id", "views_user_id"):
        op.drop_column("user_session", column)
    op.drop_table("adjustment_request")
