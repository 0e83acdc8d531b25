"""Tables of worlds, their bindings, approvals, grants, sessions and audit log."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

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
    sa.Column("created_us", BIG, nullable=False),
    sa.Column("updated_us", BIG, nullable=False),
    sa.Column("revision", BIG, nullable=False),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sides", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("execution_domain", sa.Text, nullable=False),
    sa.Column("start_us", BIG, nullable=False),
    sa.Column("watermark_us", BIG, nullable=False),
    sa.Column("data_preset", sa.Text, nullable=False),
    sa.Column("dataset_fingerprint", sa.Text, nullable=False),
    sa.Column("opened_us", BIG, nullable=False),
    sa.Column("closed_us", BIG, nullable=True),
)
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("data_preset", sa.Text, primary_key=True),
    sa.Column("watermark_us", BIG, nullable=False),
    sa.Column("next_close_us", BIG, nullable=False),
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

live_approvals = sa.Table(
    "live_approvals",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("approved_us", BIG, nullable=False),
    sa.Column("expires_us", BIG, nullable=True),
    sa.Column("revoked_us", BIG, nullable=True),
    sa.Column("policy_version", sa.Integer, nullable=False),
)

role_grants = sa.Table(
    "role_grants",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("role", sa.Integer, nullable=False),
    sa.Column("granted_by", sa.Text, nullable=False),
    sa.Column("granted_us", BIG, nullable=False),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("time_us", BIG, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=True),  # ActivationRecord, of rows that tell a change of it
    sa.Column("record_revision", BIG, nullable=True),
    sa.Column("record_whole", sa.Boolean, nullable=True),
    sa.Index("audit_log_world", "world_id", "sequence"),
)
_KEPT = audit_log.c.record.is_not(None)
sa.Index("audit_log_records", audit_log.c.world_id, audit_log.c.sequence, sqlite_where=_KEPT, postgresql_where=_KEPT)
