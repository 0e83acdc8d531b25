"""Tables of evaluation runs and what they come to, decisions, and what hysteresis remembers."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("decided_us", BIG, nullable=False),
    sa.Index("decisions_world", "world_id", "sequence"),
)

evaluation_runs = sa.Table(
    "evaluation_runs",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=True),
    sa.Column("recommended_stage", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
    sa.UniqueConstraint("world_id", "strategy_id", "run_id", "revision", name="evaluation_runs_revision"),
    sa.Index("evaluation_runs_latest", "world_id", "strategy_id", "stage", "sequence"),
)

stage_records = sa.Table(
    "stage_records",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("newest", BIG, nullable=False),
    sa.Column("observed_us", BIG, nullable=False),
    sa.Column("data_end_us", BIG, nullable=True),
    sa.Column("spans", sa.Text, nullable=False),
)

tenures = sa.Table(
    "tenures",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("selected", sa.Boolean, nullable=False),
    sa.Column("since_us", BIG, nullable=True),
    sa.Column("passes", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("counted_end_us", BIG, nullable=True),
)
