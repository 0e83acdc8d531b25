"""SQL tables of the submissions database, shared by every gateway of a mesh."""

from __future__ import annotations

import sqlalchemy as sa

from controlbus.outbox.outbox import outbox_tables

METADATA = sa.MetaData()
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")

STRATEGIES = sa.Table(
    "strategies",
    METADATA,
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("body_digest", sa.Text, nullable=False),
    sa.Column("meta", sa.LargeBinary, nullable=False),  # StrategyMeta as it came
    sa.Column("dag_digest", sa.Text, nullable=False),
    sa.Column("nodes", sa.Integer, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("revision", _BIG, nullable=False),
    sa.Column("claim_epoch", _BIG, nullable=False),  # grows at each claim; every later write compares it
    sa.Column("claim_until_us", _BIG, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_us", _BIG, nullable=False),
    sa.Column("created_us", _BIG, nullable=False),
    sa.Column("updated_us", _BIG, nullable=False),
    sa.Column("sentinel_id", sa.Text, nullable=False),
    sa.Column("plan_version", sa.Integer, nullable=False),
    sa.UniqueConstraint("subject", "request_id", name="strategies_request"),
)
sa.Index("strategies_todo", STRATEGIES.c.state, STRATEGIES.c.next_attempt_us)
sa.Index("strategies_recent", STRATEGIES.c.created_us, STRATEGIES.c.strategy_id)

# What is large and read by whom it concerns only: a move of a strategy rewrites its row, and listings read many.
REQUESTS = sa.Table(
    "strategy_requests",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("request", sa.LargeBinary, nullable=False),  # StrategySubmission as it came
)

# Private halves of the keys that sign streams: whoever reads this database may read events as anybody.
STREAM_KEYS = sa.Table(
    "stream_keys",
    METADATA,
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("jwk", sa.Text, nullable=False),
    sa.Column("signs_from_us", _BIG, nullable=False),
)

NODES = sa.Table(
    "strategy_nodes",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("node_ids", sa.Text, nullable=False),  # one a line
)

OUTCOMES = sa.Table(
    "strategy_outcomes",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("outcome", sa.LargeBinary, nullable=False),  # Strategy with its outcomes alone
)

ASSIGNMENTS = sa.Table(
    "strategy_assignments",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, ...
    sa.Column("body", sa.LargeBinary, nullable=False),  # ListAssignmentsResponse
)

WORLDS = sa.Table(
    "strategy_worlds",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("world_id", sa.Text, primary_key=True),
)
sa.Index("strategy_worlds_world", WORLDS.c.world_id)

LIVE_DAGS = sa.Table(
    "live_dags",
    METADATA,
    sa.Column("dag_digest", sa.Text, primary_key=True),
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, nullable=False),
)

HISTORY = sa.Table(
    "strategy_events",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("sequence", _BIG, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("time_us", _BIG, nullable=False),
)

RELEASES = sa.Table(
    "strategy_releases",
    METADATA,
    sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("due_us", _BIG, nullable=False),
    sa.Column("settle_us", _BIG, nullable=False),  # a worker may still bind it until then: release once more after
    sa.Column("attempts", sa.Integer, nullable=False),  # grows at each take-up; every later write compares it
    sa.Column("message", sa.Text, nullable=False),
)
sa.Index("strategy_releases_due", RELEASES.c.due_us)

OUTBOX = outbox_tables(METADATA)
