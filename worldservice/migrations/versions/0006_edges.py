"""Edges with the domains they lead from and into, the nodes of bound strategies and which of their edges are off,
openings, and limits of a fence.

Overrides made before move over: an edge that was off was off everywhere, which is what off in BACKTEST comes to. The
old table stays, empty.
"""

import sqlalchemy as sa
from alembic import op
from blake3 import blake3

revision = "0006"
down_revision = "0005"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, move the overrides, add the column."""
    edges = op.create_table(
        "world_edges",
        sa.Column("world_id", sa.Text(), primary_key=True),
        sa.Column("from_node_id", sa.Text(), primary_key=True),
        sa.Column("from_domain", sa.Text(), primary_key=True),
        sa.Column("to_node_id", sa.Text(), primary_key=True),
        sa.Column("to_domain", sa.Text(), primary_key=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cuts", sa.Boolean(), nullable=False),
        sa.Column("edge_key", _BIG, nullable=False),
    )
    as_sqlite, as_postgresql = sa.text("cuts = 1"), sa.text("cuts")  # as each is asked; else it is not used
    op.create_index(
        "world_edges_cuts", "world_edges", ["world_id"], sqlite_where=as_sqlite, postgresql_where=as_postgresql
    )
    op.create_table(
        "bound_nodes",
        sa.Column("world_id", sa.Text(), primary_key=True),
        sa.Column("strategy_id", sa.Text(), primary_key=True),
        sa.Column("node_key", _BIG, primary_key=True, autoincrement=False),
    )
    op.create_index("bound_nodes_node", "bound_nodes", ["world_id", "node_key"])
    op.create_table(
        "edge_cuts",
        sa.Column("world_id", sa.Text(), primary_key=True),
        sa.Column("strategy_id", sa.Text(), primary_key=True),
        sa.Column("to_domain", sa.Text(), primary_key=True),
        sa.Column("edge_key", _BIG, primary_key=True, autoincrement=False),
    )
    op.create_index("edge_cuts_edge", "edge_cuts", ["world_id", "edge_key"])
    op.create_table(
        "edge_openings",
        sa.Column("world_id", sa.Text(), primary_key=True),
        sa.Column("strategy_id", sa.Text(), primary_key=True),
        sa.Column("execution_domain", sa.Text(), primary_key=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
    )
    for name in ("limits", "confirmed_limits"):
        op.add_column("world_fences", sa.Column(name, sa.Text(), nullable=False, server_default="{}"))
    old = op.get_bind().execute(sa.text("SELECT * FROM edge_overrides")).mappings().all()
    if old:
        op.bulk_insert(edges, [_moved(dict(row)) for row in old])
        op.execute(sa.text("DELETE FROM edge_overrides"))


def _moved(row: dict[str, object]) -> dict[str, object]:
    here = {"from_domain": "BACKTEST", "to_domain": "BACKTEST", "cuts": not row["active"]}
    return {**row, **here, "edge_key": _key(str(row["from_node_id"]), str(row["to_node_id"]))}


def _key(start: str, end: str) -> int:
    """As the code makes it: 63 bits of a hash over both ends, each with its domain."""
    named = "|".join((start, "BACKTEST", end, "BACKTEST"))
    return int.from_bytes(blake3(named.encode()).digest()[:8], "big") >> 1
