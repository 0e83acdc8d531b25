"""Shares of accounts, the budgets made of them, and rebalancing runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "allocation_sets",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "revision"),
        sa.UniqueConstraint("account", "run_id", name="allocation_sets_run"),
    )
    op.create_table(
        "allocation_budgets",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("set_revision", _BIG, nullable=False),
        sa.Column("sent_revision", _BIG, nullable=False),
        sa.Column("equity", sa.Text(), nullable=False),
        sa.Column("leverage_max", sa.Text(), nullable=False),
        sa.Column("day", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "rebalance_runs",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("account", "run_id", name="rebalance_runs_run"),
    )
    going = sa.text("state IN ('EXECUTING', 'CANCELING')")
    op.create_index(
        "rebalance_runs_one", "rebalance_runs", ["account"], unique=True, sqlite_where=going, postgresql_where=going
    )
    op.create_index("rebalance_runs_account", "rebalance_runs", ["account", "sequence"], unique=False)
