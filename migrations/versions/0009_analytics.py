"""The business day by day, and the indexes by which it is summed up and everything is found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_analytics"
down_revision = "0008"
branch_labels = None
depends_on = None

BY_TIME = [
    ("journal_entry", "happened_at"),
    ("payment", "created_at"),
    ("subscription_charge", "charged_at"),
    ("user_account", "created_at"),
]
BY_PREFIX = [
    ("customer", "name_prefix", sa.text("lower(name) text_pattern_ops")),
    ("user_account", "name_prefix", sa.text("lower(name) text_pattern_ops")),
    ("user_account", "email_prefix", sa.text("email text_pattern_ops")),
    ("payment_attempt", "order_id_prefix", sa.text("order_id text_pattern_ops")),
    ("instance", "name_prefix", sa.text("name text_pattern_ops")),
    ("instance_domain", "host_prefix", sa.text("host text_pattern_ops")),
]


def upgrade() -> None:
    op.create_table(
        "business_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_business_day")),
    )
    for table, column in BY_TIME:
        op.create_index(f"ix_{table}_{column}", table, [column, "id"], if_not_exists=True)
    op.create_index(
        "ix_renewal_attempt_short", "renewal_attempt", ["attempted_at"], postgresql_where=sa.text("outcome = 'SHORT'")
    )
    for table, name, expression in BY_PREFIX:
        op.create_index(f"ix_{table}_{name}", table, [expression])


def downgrade() -> None:
    for table, name, _ in BY_PREFIX:
        op.drop_index(f"ix_{table}_{name}", table_name=table)
    op.drop_index("ix_renewal_attempt_short", table_name="renewal_attempt")
    for table, column in BY_TIME:
        op.drop_index(f"ix_{table}_{column}", table_name=table, if_exists=True)
    op.drop_table("business_day")
