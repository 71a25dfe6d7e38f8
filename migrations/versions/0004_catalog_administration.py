"""App templates that the operator writes, and services whose texts are the operator's."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003_adjustments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("service", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "app_template_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("comment", sa.String(length=300), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_template_version")),
        sa.UniqueConstraint("slug", "number", name=op.f("uq_app_template_version_slug_number")),
    )
    op.create_index(
        "uq_app_template_version_active", "app_template_version", ["slug"], unique=True,
        postgresql_where=sa.text("active"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("app_template_version")
    op.drop_column("service", "edited_at")
