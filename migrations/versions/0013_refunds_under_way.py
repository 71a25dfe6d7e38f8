"""What is known of a refund that the gateway was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0013_refunds_under_way"
down_revision = "0012_gateway_refunds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_refund", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payment_refund", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE payment_refund SET tried_at = asked_at")  # perhaps: what is in doubt is looked at longer
    op.create_check_constraint("accepted", "payment_refund", "accepted_at IS NULL OR tried_at IS NOT NULL")


def downgrade() -> None:
    op.drop_constraint("accepted", "payment_refund", type_="check")
    op.drop_column("payment_refund", "accepted_at")
    op.drop_column("payment_refund", "tried_at")
