"""Orders are valued at the worst price they can trade at. Old rows, and those old peers add, have none: as before.

The sums over open orders get a table of their own and the account a mark of its own for where they stand: a peer that
knows neither goes on with the sums it knows, finds them left behind, and makes them anew; so does this build.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what is new; nothing that is there changes its meaning."""
    for table in ("orders", "order_events"):
        op.add_column(table, sa.Column("worst_price", _BIG, nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("valued_sequence", _BIG, nullable=False, server_default="0"))
    op.create_table(
        "valued_sums",
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
        sa.Column("reducing", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "world_id", "strategy_id", "symbol", "side"),
    )
