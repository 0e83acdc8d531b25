"""Tables of apply runs and their timeline."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

apply_runs = sa.Table(
    "apply_runs",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("unsettled", sa.Boolean, nullable=False),
    sa.Column("ended_us", BIG, nullable=True),
    sa.UniqueConstraint("world_id", "run_id", name="apply_runs_run"),
)
_RUNNING = apply_runs.c.ended_us.is_(None)
sa.Index("apply_runs_one", apply_runs.c.world_id, unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING)
sa.Index("apply_runs_unsettled", apply_runs.c.unsettled, apply_runs.c.sequence)

apply_steps = sa.Table(
    "apply_steps",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("time_us", BIG, nullable=False),
    sa.Index("apply_steps_run", "world_id", "run_id", "sequence"),
)
