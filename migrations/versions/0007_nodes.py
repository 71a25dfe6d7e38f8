"""Nodes, the places of apps on them, how full volumes are, and drains."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_nodes"
down_revision = "0006_bank_transfers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "node",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("unschedulable", sa.Boolean(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("taints", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("architecture", sa.String(length=40), nullable=False),
        sa.Column("operating_system", sa.String(length=120), nullable=False),
        sa.Column("kubelet_version", sa.String(length=80), nullable=False),
        sa.Column("runtime_version", sa.String(length=120), nullable=False),
        sa.Column("agent_version", sa.String(length=40), nullable=False),
        sa.Column("capacity_cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("capacity_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("capacity_storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("capacity_pods", sa.BigInteger(), nullable=False),
        sa.Column("allocatable_cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("allocatable_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("allocatable_storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("allocatable_pods", sa.BigInteger(), nullable=False),
        sa.Column("requested_cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("requested_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("requested_storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("requested_pods", sa.BigInteger(), nullable=False),
        sa.Column("used_cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("used_memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("used_storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("used_pods", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("maintenance_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("name ~ '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$'", name=op.f("ck_node_name_is_a_subdomain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
        sa.UniqueConstraint("name", name=op.f("uq_node_name")),
    )
    op.create_table(
        "node_app",
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("pod", sa.String(length=253), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("node_name", sa.String(length=253), nullable=False),
        sa.Column("claim", sa.String(length=253), nullable=False),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("unschedulable", sa.Boolean(), nullable=False),
        sa.Column("restarts", sa.BigInteger(), nullable=False),
        sa.Column("cpu_millicores", sa.BigInteger(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "pod", name=op.f("pk_node_app")),
    )
    op.create_index("ix_node_app_claim", "node_app", ["namespace", "claim"], unique=False)
    op.create_index("ix_node_app_instance_id", "node_app", ["instance_id"], unique=False)
    op.create_index("ix_node_app_node_name", "node_app", ["node_name"], unique=False)
    op.create_table(
        "volume_use",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("capacity_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used_bytes >= 0 AND capacity_bytes >= 0", name=op.f("ck_volume_use_not_negative")),
        sa.PrimaryKeyConstraint("instance_id", "measured_at", name=op.f("pk_volume_use")),
    )
    op.create_table(
        "node_drain",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_node_drain_node_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_drain")),
    )
    op.create_index("ix_node_drain_node_id", "node_drain", ["node_id", "started_at"], unique=False)
    op.create_index(
        "uq_node_drain_open", "node_drain", ["node_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "node_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("drain_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("pod", sa.String(length=253), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["drain_id"], ["node_drain.id"], name=op.f("fk_node_move_drain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_move")),
        sa.UniqueConstraint("drain_id", "uid", name=op.f("uq_node_move_drain_id_uid")),
    )
    op.create_index("ix_instance_created_at", "instance", ["created_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_instance_created_at", table_name="instance")
    op.drop_table("node_move")
    op.drop_index("uq_node_drain_open", table_name="node_drain", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index("ix_node_drain_node_id", table_name="node_drain")
    op.drop_table("node_drain")
    op.drop_table("volume_use")
    op.drop_index("ix_node_app_node_name", table_name="node_app")
    op.drop_index("ix_node_app_instance_id", table_name="node_app")
    op.drop_index("ix_node_app_claim", table_name="node_app")
    op.drop_table("node_app")
    op.drop_table("node")
