"""What garbage collection keeps track of: buffered queues, subjects still to purge, files made, tries put off."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and the queues of nodes that buffer already."""
    op.add_column("queues", sa.Column("retry_us", _BIG, nullable=True))
    op.create_index("sentinels_age", "sentinels", ["created_us"])
    op.create_table(
        "buffering",
        sa.Column("compute_key", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("since_us", _BIG, nullable=False),
        sa.Column("after_us", _BIG, nullable=True),
        sa.Column("due_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("compute_key"),
    )
    op.create_index("buffering_node", "buffering", ["node_id"])
    op.create_index("buffering_age", "buffering", ["since_us"])
    op.create_table(
        "purges",
        sa.Column("purge_no", _BIG, autoincrement=True, nullable=False),
        sa.Column("compute_key", sa.Text(), nullable=False),
        sa.Column("queue_class", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("purge_no"),
    )
    op.create_table(
        "artifacts",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("size_bytes", _BIG, nullable=False),
        sa.Column("used_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.execute(
        "INSERT INTO buffering (compute_key, node_id, since_us, after_us) "
        "SELECT q.compute_key, q.node_id, n.buffering_since_us, q.last_bucket_us FROM queues q "
        "JOIN nodes n ON n.node_id = q.node_id WHERE n.buffering_since_us IS NOT NULL"
    )
