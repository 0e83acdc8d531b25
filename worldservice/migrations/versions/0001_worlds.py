"""The tables of worldservice. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

from controlbus.outbox.outbox import create_tables

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    create_tables(op)  # type: ignore[arg-type]  # the op module stands for the Operations of this run
    _create_worlds()
    _create_access_and_audit()
    _create_policy()
    _create_graph()
    _create_edges_of_strategies()
    _create_evaluation()
    _create_activation()
    _create_gates()
    _create_apply()


def _create_worlds() -> None:
    op.create_table(
        "worlds",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("allow_live", sa.Boolean(), nullable=False),
        sa.Column("circuit_breaker", sa.Boolean(), nullable=False),
        sa.Column("default_policy_version", sa.Integer(), nullable=False),
        sa.Column("data_presets", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "bindings",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sides", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("start_us", _BIG, nullable=False),
        sa.Column("watermark_us", _BIG, nullable=False),
        sa.Column("data_preset", sa.Text(), nullable=False),
        sa.Column("dataset_fingerprint", sa.Text(), nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.Column("closed_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index(
        "sessions_open",
        "sessions",
        ["world_id", "execution_domain"],
        unique=True,
        sqlite_where=sa.text("closed_us IS NULL"),
        postgresql_where=sa.text("closed_us IS NULL"),
    )
    op.create_table(
        "feeds",
        sa.Column("data_preset", sa.Text(), nullable=False),
        sa.Column("watermark_us", _BIG, nullable=False),
        sa.Column("next_close_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("data_preset"),
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
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )


def _create_access_and_audit() -> None:
    op.create_table(
        "role_grants",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("granted_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("scope", "subject"),
    )
    op.create_table(
        "audit_log",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("record_revision", _BIG, nullable=True),
        sa.Column("record_whole", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index(
        "audit_log_records",
        "audit_log",
        ["world_id", "sequence"],
        sqlite_where=sa.text("record IS NOT NULL"),
        postgresql_where=sa.text("record IS NOT NULL"),
    )
    op.create_index("audit_log_world", "audit_log", ["world_id", "sequence"])


def _create_policy() -> None:
    op.create_table(
        "policies",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("valid_from_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("world_id", "version"),
        sa.UniqueConstraint("world_id", "checksum", name="policies_checksum"),
    )


def _create_graph() -> None:
    op.create_table(
        "world_nodes",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_eval_key", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "node_id", "execution_domain"),
    )
    op.create_table(
        "validations",
        sa.Column("eval_key", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("validated_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("eval_key"),
    )
    op.create_index("validations_node", "validations", ["world_id", "node_id", "execution_domain"])
    op.create_table(
        "world_edges",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("from_node_id", sa.Text(), nullable=False),
        sa.Column("from_domain", sa.Text(), nullable=False),
        sa.Column("to_node_id", sa.Text(), nullable=False),
        sa.Column("to_domain", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cuts", sa.Boolean(), nullable=False),
        sa.Column("edge_key", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "from_node_id", "from_domain", "to_node_id", "to_domain"),
    )
    op.create_index(
        "world_edges_cuts",
        "world_edges",
        ["world_id"],
        sqlite_where=sa.text("cuts = 1"),
        postgresql_where=sa.text("cuts"),
    )
    op.create_table(
        "bound_nodes",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("node_key", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "node_key"),
    )
    op.create_index("bound_nodes_node", "bound_nodes", ["world_id", "node_key"])


def _create_edges_of_strategies() -> None:
    op.create_table(
        "edge_cuts",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("to_domain", sa.Text(), nullable=False),
        sa.Column("edge_key", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "to_domain", "edge_key"),
    )
    op.create_index("edge_cuts_edge", "edge_cuts", ["world_id", "edge_key"])
    op.create_table(
        "edge_openings",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "execution_domain"),
    )


def _create_evaluation() -> None:
    op.create_table(
        "decisions",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("decisions_world", "decisions", ["world_id", "sequence"])
    op.create_table(
        "evaluation_runs",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("recommended_stage", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("world_id", "strategy_id", "run_id", "revision", name="evaluation_runs_revision"),
    )
    op.create_index("evaluation_runs_latest", "evaluation_runs", ["world_id", "strategy_id", "stage", "sequence"])
    op.create_table(
        "order_lists",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("put_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "hash"),
    )
    op.create_table(
        "pending_replays",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "message")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("attempts", "spent")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("created_by", "correlation_id")),
        *(sa.Column(name, _BIG, nullable=False) for name in ("created_us", "due_us")),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "stage"),
    )
    op.create_index("pending_replays_due", "pending_replays", ["state", "due_us"])
    op.create_table(
        "tenures",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("selected", sa.Boolean(), nullable=False),
        sa.Column("since_us", _BIG, nullable=True),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("counted_end_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )


def _create_activation() -> None:
    op.create_table(
        "activations",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("requires_ack", sa.Boolean(), nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.Column("windows", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "world_fences",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("effective_mode", sa.Text(), nullable=False),
        sa.Column("confirmed_epoch", _BIG, nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("standings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "activation_entries",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("freeze", sa.Boolean(), nullable=False),
        sa.Column("drain", sa.Boolean(), nullable=False),
        sa.Column("valid_from_us", _BIG, nullable=True),
        sa.Column("valid_until_us", _BIG, nullable=True),
        sa.Column("changed_us", _BIG, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("effective_mode", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id", "side"),
    )
    op.create_table(
        "activation_holds",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "activation_history",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "revision"),
    )


def _create_gates() -> None:
    op.create_table(
        "gate_sessions",
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("renewed_us", _BIG, nullable=False),
        sa.Column("applied", sa.Text(), nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.Column("displaced_boot", sa.Text(), nullable=False),
        sa.Column("refused_boot", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id"),
    )
    op.create_table(
        "gate_acks",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "run_id", "gateway_id", "boot_id", "sequence"),
    )


def _create_apply() -> None:
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
    op.create_index(
        "apply_runs_one",
        "apply_runs",
        ["world_id"],
        unique=True,
        sqlite_where=sa.text("ended_us IS NULL"),
        postgresql_where=sa.text("ended_us IS NULL"),
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
