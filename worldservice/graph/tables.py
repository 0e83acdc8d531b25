"""Tables of the World View Graph. Edges and bound nodes are found by 63 bit keys, half the size of their ids."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

world_nodes = sa.Table(
    "world_nodes",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("node_id", sa.Text, primary_key=True),
    sa.Column("execution_domain", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("last_eval_key", sa.Text, nullable=False),
    sa.Column("annotations", sa.Text, nullable=False),
)

validations = sa.Table(
    "validations",
    metadata,
    sa.Column("eval_key", sa.Text, primary_key=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("node_id", sa.Text, nullable=False),
    sa.Column("execution_domain", sa.Text, nullable=False),
    sa.Column("valid", sa.Boolean, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("validated_us", BIG, nullable=False),
    sa.Index("validations_node", "world_id", "node_id", "execution_domain"),
)

world_edges = sa.Table(
    "world_edges",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("from_node_id", sa.Text, primary_key=True),
    sa.Column("from_domain", sa.Text, primary_key=True),
    sa.Column("to_node_id", sa.Text, primary_key=True),
    sa.Column("to_domain", sa.Text, primary_key=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cuts", sa.Boolean, nullable=False),
    sa.Column("edge_key", BIG, nullable=False),  # 63 bits of a hash of what the row is known by
)
sa.Index(  # as each dialect asks for it, else it is not used
    "world_edges_cuts",
    world_edges.c.world_id,
    sqlite_where=sa.text("cuts = 1"),
    postgresql_where=sa.text("cuts"),
)

bound_nodes = sa.Table(
    "bound_nodes",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("node_key", BIG, primary_key=True, autoincrement=False),  # 63 bits of the NodeID
    sa.Index("bound_nodes_node", "world_id", "node_key"),
)

edge_cuts = sa.Table(
    "edge_cuts",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("to_domain", sa.Text, primary_key=True),
    sa.Column("edge_key", BIG, primary_key=True, autoincrement=False),
    sa.Index("edge_cuts_edge", "world_id", "edge_key"),
)

edge_openings = sa.Table(
    "edge_openings",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("execution_domain", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("opened_us", BIG, nullable=False),
)
