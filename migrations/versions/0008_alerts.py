"""Alerts; work that was given up by hand; indexes of the operator's lists of work and of the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007_nodes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("about", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tellings", sa.BigInteger(), nullable=False),
        sa.Column("returns", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("webhook_error", sa.String(length=300), nullable=True),
        sa.CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name=op.f("ck_alert_acknowledged")),
        sa.CheckConstraint("closed_at IS NULL OR opened_at IS NOT NULL", name=op.f("ck_alert_closed_after_opened")),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["user_account.id"], name=op.f("fk_alert_acknowledged_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        "uq_alert_open", "alert", ["code", "key"], unique=True, postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_index("ix_alert_first_seen_at", "alert", ["first_seen_at", "id"], unique=False)
    op.create_index("ix_alert_code", "alert", ["code", "key", "closed_at"], unique=False)
    op.add_column("outbox_message", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_outbox_message_failed",
        "outbox_message",
        ["failed_at", "id"],
        unique=False,
        postgresql_where=sa.text("failed_at IS NOT NULL"),
    )
    op.create_index("ix_audit_entry_subject_id", "audit_entry", ["subject_id"], unique=False)
    op.create_index("ix_audit_entry_happened_at", "audit_entry", ["happened_at", "id"], unique=False)
    op.create_index("ix_audit_entry_actor", "audit_entry", ["actor_id", "happened_at", "id"], unique=False)
    op.create_index(
        "ix_audit_entry_action",
        "audit_entry",
        ["action", "happened_at", "id"],
        unique=False,
        postgresql_ops={"action": "varchar_pattern_ops"},
    )


def downgrade() -> None:
    op.drop_index("ix_audit_entry_action", table_name="audit_entry")
    op.drop_index("ix_audit_entry_actor", table_name="audit_entry")
    op.drop_index("ix_audit_entry_happened_at", table_name="audit_entry")
    op.drop_index("ix_audit_entry_subject_id", table_name="audit_entry")
    op.drop_index("ix_outbox_message_failed", table_name="outbox_message")
    op.drop_column("outbox_message", "given_up_at")
    op.drop_table("alert")
