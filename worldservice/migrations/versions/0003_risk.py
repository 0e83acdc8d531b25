"""The tables of the risk hub. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    _create_snapshots()
    _create_forecasts()
    _create_breaches()
    _create_limits()


def _create_snapshots() -> None:
    op.create_table(
        "risk_scopes",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "risk_snapshots",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("measured", sa.Boolean(), nullable=False),
        sa.Column("as_of_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("series_hash", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "version"),
    )
    op.create_index("risk_snapshots_as_of", "risk_snapshots", ["scope", "as_of_us", "revision"])
    op.create_index("risk_snapshots_measured", "risk_snapshots", ["scope", "measured", "as_of_us", "revision"])
    op.create_index("risk_snapshots_revision", "risk_snapshots", ["scope", "revision"])
    op.create_index("risk_snapshots_created", "risk_snapshots", ["created_us"])
    op.create_index("risk_snapshots_series", "risk_snapshots", ["scope", "series_hash"])
    op.create_table(
        "risk_series",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "hash"),
    )


def _create_forecasts() -> None:
    op.create_table(
        "risk_forecasts",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("snapshot_version", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("scope", "stage", "day"),
    )


def _create_breaches() -> None:
    op.create_table(
        "risk_breaches",
        sa.Column("sequence", _BIG, autoincrement=True, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("breach", sa.Text(), nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("risk_breaches_scope", "risk_breaches", ["scope", "sequence"])
    op.create_index(
        "risk_breaches_open",
        "risk_breaches",
        ["scope", "rule", "target"],
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )


def _create_limits() -> None:
    op.create_table(
        "risk_account_limits",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("confirmed_revision", _BIG, nullable=False),
        sa.Column("limits", sa.LargeBinary(), nullable=False),
        sa.Column("budgets", sa.LargeBinary(), nullable=False),
        sa.Column("pending_reason", sa.Text(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
