"""Table of closings; the newest of a side is its state."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

position_closings = sa.Table(
    "position_closings",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("side", sa.Text, primary_key=True),
    sa.Column("began_us", BIG, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("closing", sa.Text, nullable=False),
)
