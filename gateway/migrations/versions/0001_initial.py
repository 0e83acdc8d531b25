"""Submissions: their worlds, requests, nodes, outcomes, live DAGs, history, releases; and the outbox."""

import sqlalchemy as sa
from alembic import op

from controlbus.outbox.outbox import create_tables

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "strategies",
        sa.Column("strategy_id", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("body_digest", sa.Text, nullable=False),
        sa.Column("meta", sa.LargeBinary, nullable=False),
        sa.Column("dag_digest", sa.Text, nullable=False),
        sa.Column("nodes", sa.Integer, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("claim_epoch", _BIG, nullable=False),
        sa.Column("claim_until_us", _BIG, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_us", _BIG, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.Column("sentinel_id", sa.Text, nullable=False),
        sa.Column("plan_version", sa.Integer, nullable=False),
        sa.UniqueConstraint("subject", "request_id", name="strategies_request"),
    )
    op.create_index("strategies_todo", "strategies", ["state", "next_attempt_us"])
    op.create_index("strategies_recent", "strategies", ["created_us", "strategy_id"])
    op.create_table(
        "strategy_requests",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("request", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "strategy_nodes",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("node_ids", sa.Text, nullable=False),
    )
    op.create_table(
        "strategy_outcomes",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("outcome", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "strategy_assignments",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("world_id", sa.Text, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "strategy_worlds",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("world_id", sa.Text, primary_key=True),
    )
    op.create_index("strategy_worlds_world", "strategy_worlds", ["world_id"])
    op.create_table(
        "live_dags",
        sa.Column("dag_digest", sa.Text, primary_key=True),
        sa.Column("world_id", sa.Text, primary_key=True),
        sa.Column("strategy_id", sa.Text, nullable=False),
    )
    op.create_table(
        "strategy_events",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("sequence", _BIG, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
    )
    op.create_table(
        "stream_keys",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("jwk", sa.Text, nullable=False),
        sa.Column("signs_from_us", _BIG, nullable=False),
    )
    op.create_table(
        "strategy_releases",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("due_us", _BIG, nullable=False),
        sa.Column("settle_us", _BIG, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("strategy_releases_due", "strategy_releases", ["due_us"])
    create_tables(op)  # type: ignore[arg-type]  # the op module stands for the Operations of this run
