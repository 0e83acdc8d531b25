"""The first tables of worldservice. Frozen: a later change is a revision of its own."""

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
    _create_evaluation()
    _create_activation()
    _create_sessions()


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
    op.create_table(
        "bindings",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sides", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "strategy_id"),
    )
    op.create_table(
        "role_grants",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("granted_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("world_id", "subject"),
    )
    op.create_table(
        "audit_log",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("time_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("audit_log_world", "audit_log", ["world_id", "sequence"])


def _create_evaluation() -> None:
    op.create_table(
        "decisions",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("decisions_world", "decisions", ["world_id", "sequence"])
    op.create_table(
        "evaluation_runs",
        sa.Column("sequence", _BIG, nullable=False, autoincrement=True),
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
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "world_fences",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("effective_mode", sa.Text(), nullable=False),
        sa.Column("confirmed_epoch", _BIG, nullable=False),
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
        "activation_history",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("world_id", "revision"),
    )


def _create_sessions() -> None:
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
    still_open = sa.text("closed_us IS NULL")
    op.create_index(
        "sessions_open",
        "sessions",
        ["world_id", "execution_domain"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "gate_sessions",
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("renewed_us", _BIG, nullable=False),
        sa.Column("applied", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id"),
    )
