"""Tables of risk snapshots, their series of returns, forecasts, breaches and account limits."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

risk_scopes = sa.Table(
    "risk_scopes",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("revision", BIG, nullable=False),
)

risk_snapshots = sa.Table(
    "risk_snapshots",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("measured", sa.Boolean, nullable=False),
    sa.Column("as_of_us", BIG, nullable=False),
    sa.Column("expires_us", BIG, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
    sa.Column("revision", BIG, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("series_hash", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False),
    sa.Index("risk_snapshots_as_of", "scope", "as_of_us", "revision"),
    sa.Index("risk_snapshots_measured", "scope", "measured", "as_of_us", "revision"),
    sa.Index("risk_snapshots_revision", "scope", "revision"),
    sa.Index("risk_snapshots_created", "created_us"),
    sa.Index("risk_snapshots_series", "scope", "series_hash"),
)

risk_series = sa.Table(
    "risk_series",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

risk_forecasts = sa.Table(
    "risk_forecasts",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("snapshot_version", sa.Text, nullable=False),
    sa.Column("weights", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
)

risk_breaches = sa.Table(
    "risk_breaches",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("breach", sa.Text, nullable=False),
    sa.Column("updated_us", BIG, nullable=False),
    sa.Index("risk_breaches_scope", "scope", "sequence"),
)
_OPEN = risk_breaches.c.open
sa.Index(
    "risk_breaches_open",
    risk_breaches.c.scope,
    risk_breaches.c.rule,
    risk_breaches.c.target,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

risk_account_limits = sa.Table(
    "risk_account_limits",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("revision", BIG, nullable=False),
    sa.Column("confirmed_revision", BIG, nullable=False),
    sa.Column("limits", sa.LargeBinary, nullable=False),
    sa.Column("budgets", sa.LargeBinary, nullable=False),
    sa.Column("pending_reason", sa.Text, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False),
    sa.Column("updated_us", BIG, nullable=False),
)
