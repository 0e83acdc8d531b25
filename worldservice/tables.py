"""The tables of worldservice. Times are integer microseconds since the epoch; sets and reports are JSON text."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from controlbus.outbox.outbox import outbox_tables

metadata = sa.MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

worlds = sa.Table(
    "worlds",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("labels", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("allow_live", sa.Boolean, nullable=False),
    sa.Column("circuit_breaker", sa.Boolean, nullable=False),
    sa.Column("default_policy_version", sa.Integer, nullable=False),
    sa.Column("data_presets", sa.Text, nullable=False),
    sa.Column("created_us", _BIG, nullable=False),
    sa.Column("updated_us", _BIG, nullable=False),
    sa.Column("revision", _BIG, nullable=False),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", _BIG, nullable=False),
    sa.Column("valid_from_us", _BIG, nullable=True),
    sa.UniqueConstraint("world_id", "checksum", name="policies_checksum"),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sides", sa.Text, nullable=False),
    sa.Column("plan_version", sa.Integer, nullable=False),  # always 0: dagmanager owns plans
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", _BIG, nullable=False),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("decided_us", _BIG, nullable=False),
    sa.Index("decisions_world", "world_id", "sequence"),
)

activations = sa.Table(
    "activations",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("revision", _BIG, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("sequence", _BIG, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("requires_ack", sa.Boolean, nullable=False),
    sa.Column("time_us", _BIG, nullable=False),
    sa.Column("windows", sa.Text, nullable=False, server_default="[]"),
)

world_fences = sa.Table(
    "world_fences",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("epoch", _BIG, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("effective_mode", sa.Text, nullable=False),
    sa.Column("confirmed_epoch", _BIG, nullable=False),
    sa.Column("limits", sa.Text, nullable=False, server_default="{}"),
    sa.Column("confirmed_limits", sa.Text, nullable=False, server_default="{}"),  # what brokerage said it holds
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
    sa.Column("valid_from_us", _BIG, nullable=True),
    sa.Column("valid_until_us", _BIG, nullable=True),
    sa.Column("changed_us", _BIG, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("effective_mode", sa.Text, nullable=False),
)

activation_history = sa.Table(
    "activation_history",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("revision", _BIG, primary_key=True, autoincrement=False),
    sa.Column("envelope", sa.LargeBinary, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("execution_domain", sa.Text, nullable=False),
    sa.Column("start_us", _BIG, nullable=False),
    sa.Column("watermark_us", _BIG, nullable=False),
    sa.Column("data_preset", sa.Text, nullable=False),
    sa.Column("dataset_fingerprint", sa.Text, nullable=False),
    sa.Column("opened_us", _BIG, nullable=False),
    sa.Column("closed_us", _BIG, nullable=True),
)
_OPEN = sessions.c.closed_us.is_(None)
sa.Index(
    "sessions_open",
    sessions.c.world_id,
    sessions.c.execution_domain,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

gate_sessions = sa.Table(
    "gate_sessions",
    metadata,
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("renewed_us", _BIG, nullable=False),
    sa.Column("applied", sa.Text, nullable=False),
)

evaluation_runs = sa.Table(
    "evaluation_runs",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=True),
    sa.Column("recommended_stage", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", _BIG, nullable=False),
    sa.UniqueConstraint("world_id", "strategy_id", "run_id", "revision", name="evaluation_runs_revision"),
    sa.Index("evaluation_runs_latest", "world_id", "strategy_id", "stage", "sequence"),
)

tenures = sa.Table(
    "tenures",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("selected", sa.Boolean, nullable=False),
    sa.Column("since_us", _BIG, nullable=True),
    sa.Column("passes", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("counted_end_us", _BIG, nullable=True),
)

apply_runs = sa.Table(
    "apply_runs",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("unsettled", sa.Boolean, nullable=False),
    sa.Column("ended_us", _BIG, nullable=True),
    sa.UniqueConstraint("world_id", "run_id", name="apply_runs_run"),
)
_RUNNING = apply_runs.c.ended_us.is_(None)
sa.Index("apply_runs_one", apply_runs.c.world_id, unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING)
sa.Index("apply_runs_unsettled", apply_runs.c.unsettled, apply_runs.c.sequence)

apply_steps = sa.Table(
    "apply_steps",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("time_us", _BIG, nullable=False),
    sa.Index("apply_steps_run", "world_id", "run_id", "sequence"),
)

apply_acks = sa.Table(
    "apply_acks",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("boot_id", sa.Text, primary_key=True),
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=False),
    sa.Column("time_us", _BIG, nullable=False),
)

live_approvals = sa.Table(
    "live_approvals",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("approved_us", _BIG, nullable=False),
    sa.Column("expires_us", _BIG, nullable=True),
    sa.Column("revoked_us", _BIG, nullable=True),
)

role_grants = sa.Table(
    "role_grants",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("role", sa.Integer, nullable=False),
    sa.Column("granted_by", sa.Text, nullable=False),
    sa.Column("granted_us", _BIG, nullable=False),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("sequence", _BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("time_us", _BIG, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=True),  # ActivationRecord, of rows that tell a change of it
    sa.Column("record_revision", _BIG, nullable=True),
    sa.Column("record_whole", sa.Boolean, nullable=True),
    sa.Index("audit_log_world", "world_id", "sequence"),
)
_KEPT = audit_log.c.record.is_not(None)
sa.Index("audit_log_records", audit_log.c.world_id, audit_log.c.sequence, sqlite_where=_KEPT, postgresql_where=_KEPT)

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
    sa.Column("validated_us", _BIG, nullable=False),
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
    sa.Column("edge_key", _BIG, nullable=False),  # 63 bits of a hash of what the row is known by
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
    sa.Column("node_key", _BIG, primary_key=True, autoincrement=False),  # 63 bits of the NodeID
    sa.Index("bound_nodes_node", "world_id", "node_key"),
)

edge_cuts = sa.Table(
    "edge_cuts",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("to_domain", sa.Text, primary_key=True),
    sa.Column("edge_key", _BIG, primary_key=True, autoincrement=False),
    sa.Index("edge_cuts_edge", "world_id", "edge_key"),
)

edge_openings = sa.Table(
    "edge_openings",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("execution_domain", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("opened_us", _BIG, nullable=False),
)

outbox = outbox_tables(metadata)


def micros(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def micros_or_none(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def instant_or_none(us: int | None) -> datetime | None:
    return None if us is None else instant(us)
