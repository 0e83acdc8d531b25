"""Tables of order lists, and of runs whose list waits for its replay or cannot be replayed."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

order_lists = sa.Table(
    "order_lists",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("put_us", BIG, nullable=False),
)

pending_replays = sa.Table(
    "pending_replays",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("spent", sa.Integer, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
    sa.Column("due_us", BIG, nullable=False),
    sa.Index("pending_replays_due", "state", "due_us"),
)
