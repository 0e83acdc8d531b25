"""Two-phase apply: runs, their timeline, acknowledgements of gateways; approvals to go live."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _create_runs()
    op.create_table(
        "apply_acks",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "run_id", "gateway_id", "boot_id", "sequence"),
    )
    op.create_table(
        "live_approvals",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=True),
        sa.Column("revoked_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )


def _create_runs() -> None:
    op.create_table(
        "apply_runs",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("ended_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("world_id", "run_id", name="apply_runs_run"),
    )
    running = sa.text("ended_us IS NULL")
    op.create_index(
        "apply_runs_one", "apply_runs", ["world_id"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_index("apply_runs_unsettled", "apply_runs", ["unsettled", "sequence"])
    op.create_table(
        "apply_steps",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("apply_steps_run", "apply_steps", ["world_id", "run_id", "sequence"])
