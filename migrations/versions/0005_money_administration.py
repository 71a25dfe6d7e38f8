"""Money as an administrator sees it: indexes of its lists, decisions about payments, kept audits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_money_administration"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = [
    ("ix_payment_created_at", "payment", ["created_at", "id"]),
    ("ix_payment_status_created_at", "payment", ["status", "created_at", "id"]),
    ("ix_payment_method_created_at", "payment", ["method", "created_at", "id"]),
    ("ix_payment_amount", "payment", ["amount", "id"]),
    ("ix_payment_attempt_order_id", "payment_attempt", ["order_id"]),
    ("ix_gateway_transaction_transaction_id", "gateway_transaction", ["transaction_id"]),
    ("ix_gateway_event_verdict_received_at", "gateway_event", ["verdict", "received_at", "id"]),
    ("ix_journal_entry_happened_at", "journal_entry", ["happened_at", "id"]),
    ("ix_journal_entry_kind_happened_at", "journal_entry", ["kind", "happened_at", "id"]),
    ("ix_transaction_entry_id", "transaction", ["entry_id"]),
    ("ix_document_created_at", "document", ["created_at", "id"]),
    ("ix_document_series_created_at", "document", ["series", "created_at", "id"]),
    ("ix_document_total", "document", ["total", "id"]),
    ("ix_document_issued_at", "document", ["issued_at"]),
    ("ix_subscription_created_at", "subscription", ["created_at", "id"]),
    ("ix_subscription_status_created_at", "subscription", ["status", "created_at", "id"]),
    ("ix_subscription_service_id_created_at", "subscription", ["service_id", "created_at", "id"]),
    ("ix_subscription_period_ends_at", "subscription", ["period_ends_at", "id"]),
]


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    op.create_index("ix_posting_account_id_id", "posting", ["account_id", "id"], postgresql_include=["amount"])
    op.drop_index("ix_posting_account_id", "posting")
    unread = sa.text("processed_at IS NULL")
    op.create_index("ix_gateway_event_unread", "gateway_event", ["received_at", "id"], postgresql_where=unread)
    op.create_index("ix_mail_document_id", "mail", ["document_id"], postgresql_where=sa.text("document_id IS NOT NULL"))
    op.create_index(
        "ix_customer_billing_email",
        "customer",
        ["billing_email"],
        postgresql_ops={"billing_email": "varchar_pattern_ops"},
    )
    op.add_column("gateway_transaction", sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "gateway_event",
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("books_difference", sa.Column("explained_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("books_difference", sa.Column("explained_by", sa.Uuid(), nullable=True))
    op.add_column("books_difference", sa.Column("explanation", sa.Text(), nullable=True))
    op.create_table(
        "books_audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("results", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("heads", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books_audit")),
    )
    op.create_index("ix_books_audit_asked_at", "books_audit", ["asked_at"])


def downgrade() -> None:
    op.drop_table("books_audit")
    for name in ("explanation", "explained_by", "explained_at"):
        op.drop_column("books_difference", name)
    op.drop_column("gateway_event", "headers")
    op.drop_column("gateway_transaction", "rejected_at")
    op.drop_index("ix_customer_billing_email", "customer")
    op.drop_index("ix_mail_document_id", "mail")
    op.drop_index("ix_gateway_event_unread", "gateway_event")
    op.create_index("ix_posting_account_id", "posting", ["account_id"])
    op.drop_index("ix_posting_account_id_id", "posting")
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table)
