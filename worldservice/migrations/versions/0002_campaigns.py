"""Stage records, campaigns, promotions, trials, overrides and divergence reports.

Frozen: a later change is a revision of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "stage_records",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("newest", _BIG, nullable=False),
        sa.Column("observed_us", _BIG, nullable=False),
        sa.Column("data_end_us", _BIG, nullable=True),
        sa.Column("spans", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "stage", "version"),
    )
    op.create_table(
        "campaigns",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )
    op.create_table(
        "promotions",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("promotion", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("world_id", "run_id", name="promotions_run"),
    )
    is_open = sa.column("open", sa.Boolean()).is_(True)
    op.create_index(
        "promotions_open",
        "promotions",
        ["world_id", "strategy_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "trials",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("trials_hash", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("variants", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("put_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("world_id", "strategy_id", "trials_hash", name="trials_hash"),
    )
    op.create_table(
        "evaluation_overrides",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.Column("override", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("evaluation_overrides_strategy", "evaluation_overrides", ["world_id", "strategy_id", "sequence"])
    op.create_table(
        "divergence_reports",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("world_id", "strategy_id", "report_id", name="divergence_reports_id"),
    )
