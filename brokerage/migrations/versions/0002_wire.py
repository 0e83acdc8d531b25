"""The wire between brokerage and venue, sums of open orders, limits of accounts. Old rows and old peers stay right.

A row of an old peer was answered in its own commit; sums it did not keep are told by `summed_sequence` and made anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what is new; nothing that is there changes its meaning."""
    op.add_column("send_intents", sa.Column("wire_ns", _BIG, nullable=True))
    op.create_table(
        "venue_orders",
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("arrives_ns", _BIG, nullable=False),
        sa.Column("answer_lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("venue_order_id"),
    )
    op.create_table(
        "working_sums",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("orders", _BIG, nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("taking", _BIG, nullable=False),
        sa.Column("priced", _BIG, nullable=False),
        sa.Column("unpriced", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "world_id", "strategy_id", "symbol", "side"),
    )
    _limit_accounts()


def _limit_accounts() -> None:
    op.add_column("accounts", sa.Column("summed_sequence", _BIG, nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("rate_ns", _BIG, nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("peak_equity", _BIG, nullable=True))
    op.add_column("accounts", sa.Column("circuit_ns", _BIG, nullable=True))
