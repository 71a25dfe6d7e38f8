"""Rows taken over from the system before, its invoices, and charges of zero for periods that were paid there."""

import sqlalchemy as sa
from alembic import op

revision = "0010_import"
down_revision = "0009_analytics"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_record",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("external_id", sa.String(length=50), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invite", sa.Boolean(), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("NOT invite OR kind = 'USERS'", name=op.f("ck_import_record_users_are_invited")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_record")),
        sa.UniqueConstraint("kind", "external_id", name=op.f("uq_import_record_kind_external_id")),
    )
    op.create_index(
        "ix_import_record_uninvited",
        "import_record",
        ["id"],
        unique=False,
        postgresql_where=sa.text("invite AND invited_at IS NULL"),
    )
    op.create_table(
        "historical_invoice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("has_pdf", sa.Boolean(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("total >= 0", name=op.f("ck_historical_invoice_total")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_historical_invoice_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historical_invoice")),
        sa.UniqueConstraint("customer_id", "number", name=op.f("uq_historical_invoice_customer_id_number")),
    )
    op.create_index(
        "ix_historical_invoice_customer_id_issued_on",
        "historical_invoice",
        ["customer_id", "issued_on"],
        unique=False,
    )
    op.create_check_constraint(
        op.f("ck_subscription_charge_imported_is_free"), "subscription_charge", "kind <> 'IMPORTED' OR amount = 0"
    )


def downgrade() -> None:
    op.drop_constraint("ck_subscription_charge_imported_is_free", "subscription_charge", type_="check")
    op.drop_table("historical_invoice")
    op.drop_table("import_record")
