"""Tables of shares, the budgets made of them, and rebalancing runs."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

allocation_sets = sa.Table(
    "allocation_sets",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("revision", BIG, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
    sa.UniqueConstraint("account", "run_id", name="allocation_sets_run"),
)

allocation_budgets = sa.Table(
    "allocation_budgets",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("set_revision", BIG, nullable=False),  # of the set they are to follow
    sa.Column("sent_revision", BIG, nullable=False),  # of the set brokerage has the budgets of
    sa.Column("equity", sa.Text, nullable=False),  # that they were made of; empty: none were
    sa.Column("leverage_max", sa.Text, nullable=False),
    sa.Column("day", BIG, nullable=False),  # UTC day of the equity, days since the epoch
)

rebalance_runs = sa.Table(
    "rebalance_runs",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("revision", BIG, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("request", sa.LargeBinary, nullable=False),  # RebalanceRequest
    sa.Column("plan", sa.LargeBinary, nullable=False),  # RebalancePlan
    sa.UniqueConstraint("account", "run_id", name="rebalance_runs_run"),
)
_GOING = rebalance_runs.c.state.in_(["EXECUTING", "CANCELING"])
sa.Index("rebalance_runs_one", rebalance_runs.c.account, unique=True, sqlite_where=_GOING, postgresql_where=_GOING)
sa.Index("rebalance_runs_account", rebalance_runs.c.account, rebalance_runs.c.sequence)
