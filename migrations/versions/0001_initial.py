"""The first schema: every table, and what the database itself refuses (migrations/sql/ledger.sql)."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("customer_number", start=1001)))
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ip_address", sa.String(length=45), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject_kind", "subject_id"], unique=False)
    op.create_table(
        "books_difference",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("check", sa.String(length=60), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books_difference")),
    )
    op.create_index(
        "uq_books_difference_open",
        "books_difference",
        ["check", "reference"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "catalog_sync",
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_catalog_sync")),
    )
    op.create_table(
        "category",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sort_order", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("slug", name=op.f("uq_category_slug")),
    )
    op.create_table(
        "cluster_drift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("repair_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_drift")),
    )
    op.create_index("ix_cluster_drift_found_at", "cluster_drift", ["found_at"], unique=False)
    op.create_index(
        "uq_cluster_drift_open",
        "cluster_drift",
        ["namespace", "object", "kind"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("nextval('customer_number')"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("billing_email", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("number", name=op.f("uq_customer_number")),
    )
    op.create_table(
        "document_series",
        sa.Column("series", sa.String(length=20), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name=op.f("pk_document_series")),
    )
    op.create_table(
        "gateway_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("verdict", sa.String(length=30), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_count", sa.BigInteger(), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_event")),
        sa.UniqueConstraint("gateway", "body_digest", name=op.f("uq_gateway_event_gateway_body_digest")),
    )
    op.create_index("ix_gateway_event_order_id", "gateway_event", ["order_id"], unique=False)
    op.create_index("ix_gateway_event_received_at", "gateway_event", ["received_at"], unique=False)
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", "scheduled_for", name=op.f("pk_job_run")),
    )
    op.create_index("ix_job_run_started_at", "job_run", ["started_at"], unique=False)
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("reference_kind", sa.String(length=30), nullable=False),
        sa.Column("reference_id", sa.Uuid(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["corrects_id"], ["journal_entry.id"], name=op.f("fk_journal_entry_corrects_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_journal_entry_idempotency_key")),
    )
    op.create_index("ix_journal_entry_reference", "journal_entry", ["reference_kind", "reference_id"], unique=False)
    op.create_table(
        "operational_switch",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_operational_switch")),
    )
    op.create_table(
        "outbox_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("queue", sa.String(length=20), nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_message")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_outbox_message_unique_key")),
    )
    op.create_index(
        "ix_outbox_message_due",
        "outbox_message",
        ["run_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL AND failed_at IS NULL"),
    )
    op.create_table(
        "reconciliation",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_reconciliation")),
    )
    op.create_table(
        "report",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "begins_on", name=op.f("pk_report")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_user_account_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("ppn", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("ppn_rate_percent", sa.BigInteger(), nullable=False),
        sa.Column("ppn_base", sa.BigInteger(), nullable=False),
        sa.Column("ppn_base_numerator", sa.BigInteger(), nullable=False),
        sa.Column("ppn_base_denominator", sa.BigInteger(), nullable=False),
        sa.Column("seller", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("buyer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("reference_kind", sa.String(length=30), nullable=False),
        sa.Column("reference_id", sa.Uuid(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("tax_invoice_number", sa.String(length=20), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.Column("pdf_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pdf_rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pdf_error", sa.String(length=200), nullable=True),
        sa.CheckConstraint("(status = 'DRAFT') = (number IS NULL)", name=op.f("ck_document_issued_is_numbered")),
        sa.CheckConstraint("net + ppn = total", name=op.f("ck_document_sums")),
        sa.ForeignKeyConstraint(["corrects_id"], ["document.id"], name=op.f("fk_document_corrects_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_document_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint(
            "reference_kind", "reference_id", "series", name=op.f("uq_document_reference_kind_reference_id_series")
        ),
        sa.UniqueConstraint("series", "year", "number", name=op.f("uq_document_series_year_number")),
    )
    op.create_index(
        "ix_document_corrects_id",
        "document",
        ["corrects_id"],
        unique=False,
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    )
    op.create_index("ix_document_customer_id_created_at", "document", ["customer_id", "created_at"], unique=False)
    op.create_table(
        "instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("service_slug", sa.String(length=60), nullable=False),
        sa.Column("service_name", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("wanted", sa.String(length=20), nullable=False),
        sa.Column("cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("storage_gib", sa.BigInteger(), nullable=False),
        sa.Column("resized_from_cpu_millicores", sa.BigInteger(), nullable=True),
        sa.Column("resized_from_memory_mib", sa.BigInteger(), nullable=True),
        sa.Column("restarted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fenced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleaned_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("failure_parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("health", sa.String(length=20), nullable=False),
        sa.Column("health_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_count", sa.BigInteger(), nullable=False),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wanted_before_suspension", sa.String(length=20), nullable=True),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("images", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("update_from_version", sa.String(length=60), nullable=True),
        sa.Column("update_from_images", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("name ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'", name=op.f("ck_instance_name_is_a_label")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_instance_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("name", name=op.f("uq_instance_name")),
    )
    op.create_index("ix_instance_customer_id", "instance", ["customer_id"], unique=False)
    op.create_index(op.f("ix_instance_subscription_id"), "instance", ["subscription_id"], unique=False)
    op.create_index(
        "ix_instance_unclean",
        "instance",
        ["id"],
        unique=False,
        postgresql_where=sa.text("wanted = 'ABSENT' AND cleaned_up_at IS NULL"),
    )
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("qualifier", sa.String(length=30), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('AVAILABLE', 'HELD', 'RECEIVABLE')) = (customer_id IS NOT NULL)",
            name=op.f("ck_ledger_account_wallets_have_owners"),
        ),
        sa.CheckConstraint(
            "kind <> 'AVAILABLE' OR balance >= 0", name=op.f("ck_ledger_account_available_not_negative")
        ),
        sa.CheckConstraint("kind <> 'HELD' OR balance >= 0", name=op.f("ck_ledger_account_held_not_negative")),
        sa.CheckConstraint(
            "kind <> 'RECEIVABLE' OR balance <= 0", name=op.f("ck_ledger_account_receivable_not_positive")
        ),
        sa.CheckConstraint(
            "customer_id IS NOT NULL OR (balance = 0 AND sequence = 0)", name=op.f("ck_ledger_account_system_is_summed")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_ledger_account_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint(
            "customer_id",
            "kind",
            "currency",
            "qualifier",
            name=op.f("uq_ledger_account_customer_id_kind_currency_qualifier"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("to_address", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_parameters", sa.Text(), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("unique_key", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_mail_customer_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_mail_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_mail_unique_key")),
    )
    op.create_index("ix_mail_customer_id", "mail", ["customer_id"], unique=False)
    op.create_index("ix_mail_user_id_created_at", "mail", ["user_id", "created_at"], unique=False)
    op.create_table(
        "mail_preference",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_mail_preference_user_id")),
        sa.PrimaryKeyConstraint("user_id", "category", name=op.f("pk_mail_preference")),
    )
    op.create_table(
        "mailed_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_mailed_link_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_link")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_mailed_link_token_digest")),
    )
    op.create_index("ix_mailed_link_user_id", "mailed_link", ["user_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_membership_customer_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_membership_user_id")),
        sa.PrimaryKeyConstraint("user_id", "customer_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_customer_id"), "membership", ["customer_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_notice_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_notice_unique_key")),
    )
    op.create_index("ix_notice_customer_id_created_at", "notice", ["customer_id", "created_at"], unique=False)
    op.create_index(
        "ix_notice_unread", "notice", ["customer_id"], unique=False, postgresql_where=sa.text("read_at IS NULL")
    )
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("method", sa.String(length=30), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_amount")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_payment_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("customer_id", "idempotency_key", name=op.f("uq_payment_customer_id_idempotency_key")),
    )
    op.create_index("ix_payment_customer_id_created_at", "payment", ["customer_id", "created_at"], unique=False)
    op.create_index(
        "ix_payment_open",
        "payment",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('CREATED', 'PENDING')"),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("long_description", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("icon", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("documentation_url", sa.String(length=300), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("featured", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sort_order", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_service_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
        sa.UniqueConstraint("slug", name=op.f("uq_service_slug")),
    )
    op.create_index(op.f("ix_service_category_id"), "service", ["category_id"], unique=False)
    op.create_table(
        "transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance_before", sa.BigInteger(), nullable=True),
        sa.Column("balance_after", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reference_kind", sa.String(length=30), nullable=False),
        sa.Column("reference_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("unique_key", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_transaction_customer_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name=op.f("fk_transaction_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_transaction_unique_key")),
    )
    op.create_index("ix_transaction_customer_id_created_at", "transaction", ["customer_id", "created_at"], unique=False)
    op.create_index("ix_transaction_reference", "transaction", ["reference_kind", "reference_id"], unique=False)
    op.create_table(
        "user_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip_address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_user_session_customer_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_user_session_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_user_session_token_digest")),
    )
    op.create_index("ix_user_session_user_id", "user_session", ["user_id"], unique=False)
    op.create_table(
        "document_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_document_line_document_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_line")),
        sa.UniqueConstraint("document_id", "position", name=op.f("uq_document_line_document_id_position")),
    )
    op.create_table(
        "instance_domain",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("token", sa.String(length=60), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("failure_parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("host = lower(host)", name=op.f("ck_instance_domain_host_lower")),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_domain_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_domain")),
        sa.UniqueConstraint("instance_id", "host", name=op.f("uq_instance_domain_instance_id_host")),
    )
    op.create_index(
        "ix_instance_domain_due",
        "instance_domain",
        ["next_check_at"],
        unique=False,
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
    op.create_index("ix_instance_domain_host", "instance_domain", ["host"], unique=False)
    op.create_index(
        "uq_instance_domain_verified",
        "instance_domain",
        ["host"],
        unique=True,
        postgresql_where=sa.text("status = 'VERIFIED'"),
    )
    op.create_table(
        "instance_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unique_key", sa.String(length=100), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_event_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_event")),
        sa.UniqueConstraint("instance_id", "unique_key", name=op.f("uq_instance_event_instance_id_unique_key")),
    )
    op.create_table(
        "instance_health_hour",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("took_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("took_ms_max", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_health_hour_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "hour", name=op.f("pk_instance_health_hour")),
    )
    op.create_table(
        "instance_outage",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_outage_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_outage")),
    )
    op.create_index("ix_instance_outage_instance_id", "instance_outage", ["instance_id", "began_at"], unique=False)
    op.create_index(
        "uq_instance_outage_open",
        "instance_outage",
        ["instance_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "instance_secret",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_secret_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "name", name=op.f("pk_instance_secret")),
    )
    op.create_table(
        "instance_use",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_use_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "measured_at", name=op.f("pk_instance_use")),
    )
    op.create_table(
        "instance_variable",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_variable_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "name", name=op.f("pk_instance_variable")),
    )
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.String(length=50), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("redirect_url", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_attempt_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempt")),
        sa.UniqueConstraint("gateway", "order_id", name=op.f("uq_payment_attempt_gateway_order_id")),
        sa.UniqueConstraint("payment_id", "number", name=op.f("uq_payment_attempt_payment_id_number")),
    )
    op.create_index(op.f("ix_payment_attempt_payment_id"), "payment_attempt", ["payment_id"], unique=False)
    op.create_table(
        "plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("plan_type", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("storage_gib", sa.BigInteger(), nullable=False),
        sa.Column("bandwidth_gib", sa.BigInteger(), nullable=False),
        sa.Column("setup_fee", sa.BigInteger(), nullable=False),
        sa.Column("slots_total", sa.BigInteger(), nullable=False),
        sa.Column("slots_used", sa.BigInteger(), nullable=False),
        sa.Column("max_instances", sa.BigInteger(), nullable=False),
        sa.Column("max_domains", sa.BigInteger(), nullable=False),
        sa.Column("trial_days", sa.BigInteger(), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("popular", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sort_order", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("slots_used BETWEEN 0 AND slots_total", name=op.f("ck_plan_slots")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_plan_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("service_id", "plan_type", name=op.f("uq_plan_service_id_plan_type")),
    )
    op.create_table(
        "posting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("balance_after", sa.BigInteger(), nullable=True),
        sa.Column("chain_hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_posting_amount_not_zero")),
        sa.ForeignKeyConstraint(["account_id"], ["ledger_account.id"], name=op.f("fk_posting_account_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name=op.f("fk_posting_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_account_id", "posting", ["account_id"], unique=False)
    op.create_index("ix_posting_entry_id", "posting", ["entry_id"], unique=False)
    op.create_index(
        "uq_posting_account_id_sequence",
        "posting",
        ["account_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("sequence IS NOT NULL"),
    )
    op.create_table(
        "gateway_transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("transaction_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("fraud_status", sa.String(length=20), nullable=True),
        sa.Column("payment_type", sa.String(length=40), nullable=False),
        sa.Column("gross_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.Column("taken_back", sa.BigInteger(), nullable=False),
        sa.Column("instructions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempt.id"], name=op.f("fk_gateway_transaction_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_transaction")),
        sa.UniqueConstraint("gateway", "transaction_id", name=op.f("uq_gateway_transaction_gateway_transaction_id")),
    )
    op.create_index("ix_gateway_transaction_attempt_id", "gateway_transaction", ["attempt_id"], unique=False)
    op.create_table(
        "plan_price",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_plan_price_amount")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_price_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_price")),
        sa.UniqueConstraint("plan_id", "currency", "interval", name=op.f("uq_plan_price_plan_id_currency_interval")),
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("anchor_day", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_number", sa.BigInteger(), nullable=False),
        sa.Column("period_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holds_slot", sa.Boolean(), nullable=False),
        sa.Column("auto_renew", sa.Boolean(), nullable=False),
        sa.Column("renewal_order", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_price", sa.BigInteger(), nullable=True),
        sa.Column("next_price_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grace_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspend_reason", sa.String(length=40), nullable=True),
        sa.Column("data_kept_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=40), nullable=True),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'PAST_DUE') = (grace_ends_at IS NOT NULL)", name=op.f("ck_subscription_grace")),
        sa.CheckConstraint(
            "(status = 'SUSPENDED') <= (data_kept_until IS NOT NULL)", name=op.f("ck_subscription_data_kept")
        ),
        sa.CheckConstraint(
            "(status IN ('CANCELLED', 'EXPIRED')) = (due_at IS NULL)", name=op.f("ck_subscription_live_is_due_some_day")
        ),
        sa.CheckConstraint(
            "(status IN ('CANCELLED', 'EXPIRED')) = (ended_at IS NOT NULL)", name=op.f("ck_subscription_ended")
        ),
        sa.CheckConstraint(
            "status <> 'SUSPENDED' OR NOT holds_slot", name=op.f("ck_subscription_suspended_holds_none")
        ),
        sa.CheckConstraint(
            "status NOT IN ('TRIALING', 'ACTIVE', 'PAST_DUE') OR holds_slot",
            name=op.f("ck_subscription_holds_its_slot"),
        ),
        sa.CheckConstraint(
            "(next_price IS NULL) = (next_price_from IS NULL)", name=op.f("ck_subscription_next_price_has_a_day")
        ),
        sa.CheckConstraint("next_price >= 0", name=op.f("ck_subscription_next_price")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_subscription_price")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_subscription_customer_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_subscription_plan_id")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_subscription_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("customer_id", "idempotency_key", name=op.f("uq_subscription_customer_id_idempotency_key")),
    )
    op.create_index("ix_subscription_customer_id", "subscription", ["customer_id"], unique=False)
    op.create_index(
        "ix_subscription_due_at",
        "subscription",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_subscription_plan_id", "subscription", ["plan_id"], unique=False)
    op.create_index(
        "ix_subscription_remind_at",
        "subscription",
        ["remind_at"],
        unique=False,
        postgresql_where=sa.text("remind_at IS NOT NULL"),
    )
    op.create_index(
        "uq_subscription_live",
        "subscription",
        ["customer_id", "service_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('CANCELLED', 'EXPIRED')"),
    )
    op.create_table(
        "launch_intent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("setup_fee", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_launch_intent_customer_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_launch_intent_payment_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_launch_intent_plan_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_launch_intent_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launch_intent")),
    )
    op.create_index(
        "uq_launch_intent_waiting",
        "launch_intent",
        ["customer_id", "plan_id"],
        unique=True,
        postgresql_where=sa.text("status = 'WAITING'"),
    )
    op.create_table(
        "renewal_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("period_number", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_renewal_attempt_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renewal_attempt")),
    )
    op.create_index(
        "ix_renewal_attempt_subscription_id", "renewal_attempt", ["subscription_id", "attempted_at"], unique=False
    )
    op.create_table(
        "subscription_charge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("period_number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("setup_fee", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_subscription_charge_amount")),
        sa.CheckConstraint("refunded BETWEEN 0 AND amount", name=op.f("ck_subscription_charge_refunded")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name=op.f("fk_subscription_charge_entry_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_subscription_charge_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_charge")),
    )
    op.create_index("ix_subscription_charge_subscription_id", "subscription_charge", ["subscription_id"], unique=False)
    op.create_index(
        "uq_subscription_charge_period",
        "subscription_charge",
        ["subscription_id", "period_number"],
        unique=True,
        postgresql_where=sa.text("kind <> 'UPGRADE'"),
    )
    op.create_table(
        "trial_claim",
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("identity_digest", sa.String(length=64), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_trial_claim_service_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_trial_claim_subscription_id")),
        sa.PrimaryKeyConstraint("service_id", "identity_digest", name=op.f("pk_trial_claim")),
    )
    op.create_table(
        "waitlist_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("resumes_id", sa.Uuid(), nullable=True),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("agreed_total", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offer_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.CheckConstraint("(status = 'OFFERED') <= (offer_ends_at IS NOT NULL)", name=op.f("ck_waitlist_entry_offer")),
        sa.CheckConstraint(
            "held = 0 OR status IN ('WAITING', 'OFFERED')", name=op.f("ck_waitlist_entry_held_while_open")
        ),
        sa.CheckConstraint("held >= 0 AND (automatic OR held = 0)", name=op.f("ck_waitlist_entry_held")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_waitlist_entry_customer_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_waitlist_entry_plan_id")),
        sa.ForeignKeyConstraint(["resumes_id"], ["subscription.id"], name=op.f("fk_waitlist_entry_resumes_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_waitlist_entry_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entry")),
    )
    op.create_index(
        "ix_waitlist_entry_queue",
        "waitlist_entry",
        ["plan_id", "resumes_id", "joined_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('WAITING', 'OFFERED')"),
    )
    op.create_index(
        "uq_waitlist_entry_open",
        "waitlist_entry",
        ["customer_id", "plan_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('WAITING', 'OFFERED')"),
    )
    op.create_table(
        "plan_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("from_plan_id", sa.Uuid(), nullable=False),
        sa.Column("to_plan_id", sa.Uuid(), nullable=False),
        sa.Column("from_interval", sa.String(length=10), nullable=False),
        sa.Column("to_interval", sa.String(length=10), nullable=False),
        sa.Column("from_price", sa.BigInteger(), nullable=False),
        sa.Column("to_price", sa.BigInteger(), nullable=False),
        sa.Column("unused_value", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("period_number", sa.BigInteger(), nullable=False),
        sa.Column("period_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=15), nullable=False),
        sa.Column("quoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("volumes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("charge_id", sa.Uuid(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.CheckConstraint("total = greatest(cost - unused_value, 0)", name=op.f("ck_plan_change_adds_up")),
        sa.CheckConstraint("total >= 0", name=op.f("ck_plan_change_total")),
        sa.ForeignKeyConstraint(["charge_id"], ["subscription_charge.id"], name=op.f("fk_plan_change_charge_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_plan_change_customer_id")),
        sa.ForeignKeyConstraint(["from_plan_id"], ["plan.id"], name=op.f("fk_plan_change_from_plan_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_plan_change_subscription_id")),
        sa.ForeignKeyConstraint(["to_plan_id"], ["plan.id"], name=op.f("fk_plan_change_to_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_change")),
    )
    op.create_index("ix_plan_change_subscription_id", "plan_change", ["subscription_id"], unique=False)
    op.create_index(
        "uq_plan_change_under_way",
        "plan_change",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('RESIZING', 'ROLLING_BACK')"),
    )
    sql = Path(__file__).parents[1] / "sql" / "ledger.sql"
    # The driver would read a % of the functions as a placeholder: hand the text over untouched.
    op.get_bind().connection.driver_connection.execute(sql.read_text())


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first schema")
