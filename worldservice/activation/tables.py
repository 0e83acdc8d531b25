"""Tables of activations, fences, gate sessions and their acknowledgements."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

activations = sa.Table(
    "activations",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("revision", BIG, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("sequence", BIG, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("requires_ack", sa.Boolean, nullable=False),
    sa.Column("time_us", BIG, nullable=False),
    sa.Column("windows", sa.Text, nullable=False),
)

world_fences = sa.Table(
    "world_fences",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("epoch", BIG, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("effective_mode", sa.Text, nullable=False),
    sa.Column("confirmed_epoch", BIG, nullable=False),
    sa.Column("limits", sa.Text, nullable=False),
    sa.Column("standings", sa.Text, nullable=False),
)

activation_entries = sa.Table(
    "activation_entries",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("side", sa.Text, primary_key=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("freeze", sa.Boolean, nullable=False),
    sa.Column("drain", sa.Boolean, nullable=False),
    sa.Column("valid_from_us", BIG, nullable=True),
    sa.Column("valid_until_us", BIG, nullable=True),
    sa.Column("changed_us", BIG, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("effective_mode", sa.Text, nullable=False),
    sa.Column("live_since_us", BIG, nullable=True),
)

activation_holds = sa.Table(
    "activation_holds",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

activation_history = sa.Table(
    "activation_history",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("revision", BIG, primary_key=True, autoincrement=False),
    sa.Column("envelope", sa.LargeBinary, nullable=False),
)

gate_sessions = sa.Table(
    "gate_sessions",
    metadata,
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("renewed_us", BIG, nullable=False),
    sa.Column("applied", sa.Text, nullable=False),
    sa.Column("opened_us", BIG, nullable=False),
    sa.Column("displaced_boot", sa.Text, nullable=False),
    sa.Column("refused_boot", sa.Text, nullable=False),
)

gate_acks = sa.Table(
    "gate_acks",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("boot_id", sa.Text, primary_key=True),
    sa.Column("sequence", BIG, primary_key=True, autoincrement=False),
    sa.Column("time_us", BIG, nullable=False),
)
