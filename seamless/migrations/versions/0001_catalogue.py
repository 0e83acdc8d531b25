"""The first tables of the catalogue. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create everything."""
    _create_artifacts()
    op.create_table(
        "reports",
        _text("dataset"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("dataset"),
    )
    _create_replays()
    op.create_table(
        "uploads", _text("name"), sa.Column("body", sa.LargeBinary(), nullable=False), sa.PrimaryKeyConstraint("name")
    )
    op.create_table("store_ids", _text("id"), sa.PrimaryKeyConstraint("id"))
    op.create_table(
        "remote_presets",
        _text("name"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _create_stored()
    _create_schemas()
    _create_features()
    _create_recordings()
    op.create_table(
        "live_sessions",
        _text("session_id"),
        _text("world_id"),
        _text("preset"),
        _int("start_ns"),
        _int("opened_at_ns"),
        _int("closed_at_ns"),
        sa.PrimaryKeyConstraint("session_id"),
    )


def _create_schemas() -> None:
    op.create_table(
        "schema_versions",
        _text("name"),
        _int("major"),
        _int("minor"),
        _text("registered_by"),
        _int("registered_at_ns"),
        sa.PrimaryKeyConstraint("name", "major", "minor"),
    )
    op.create_table(
        "schema_columns",
        _text("name"),
        _int("major"),
        _int("minor"),
        _int("place"),
        _text("column_name"),
        _text("type"),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", "major", "minor", "place"),
    )
    op.create_table(
        "schema_promotions",
        _text("name"),
        _int("number"),
        _int("major"),
        _int("minor"),
        _text("before"),
        _text("after"),
        _text("subject"),
        _int("at_ns"),
        _text("cause"),
        sa.PrimaryKeyConstraint("name", "number"),
    )


def _create_features() -> None:
    op.create_table(
        "features",
        _text("world_id"),
        _text("key_text"),
        _text("fingerprint"),
        _text("factor"),
        _int("interval_s"),
        _text("params"),
        _text("instrument"),
        _text("dataset_fingerprint"),
        _int("as_of_ns"),
        _int("first_ns"),
        _int("last_ns"),
        _int("rows"),
        _text("columns"),
        _text("schema_version"),
        _text("domain"),
        _text("published_by"),
        _int("published_at_ns"),
        _text("sha256"),
        sa.PrimaryKeyConstraint("world_id", "key_text"),
    )
    op.create_index("features_as_of", "features", ["world_id", "factor", "as_of_ns"])


def _create_recordings() -> None:
    op.create_table(
        "delivered_bars",
        _text("session_id"),
        _text("preset"),
        _int("open_ns"),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("open", "high", "low", "close", "volume")),
        _int("flags"),
        _int("told_ns"),
        sa.PrimaryKeyConstraint("session_id", "preset", "open_ns"),
    )
    op.create_table(
        "recordings",
        _text("session_id"),
        _text("preset"),
        _text("fingerprint"),
        _int("final"),
        sa.PrimaryKeyConstraint("session_id", "preset"),
    )
    op.create_table(
        "recording_sealings",
        _text("fingerprint"),
        _text("session_id"),
        _text("preset"),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "session_id"),
    )


def _create_replays() -> None:
    op.create_table(
        "replays",
        _text("session_id"),
        _text("world_id"),
        _text("preset"),
        _text("recorded"),
        _int("start_ns"),
        _int("end_ns"),
        _int("interval_ns"),
        sa.Column("bars_per_s", sa.Double(), nullable=False),
        _int("opened_at_ns"),
        _int("advanced_at_ns"),
        _int("watermark_ns"),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_table(
        "session_members",
        _text("session_id"),
        _int("place"),
        _text("preset"),
        _text("dataset"),
        _int("interval_ns"),
        _text("source"),
        _text("history"),
        sa.PrimaryKeyConstraint("session_id", "place"),
    )
    op.create_table("followers", _text("session_id"), _text("name"), sa.PrimaryKeyConstraint("session_id", "name"))


def _create_artifacts() -> None:
    op.create_table(
        "artifacts",
        _text("fingerprint"),
        _text("dataset"),
        _int("as_of_ns"),
        _int("start_ns"),
        _int("end_ns"),
        _int("rows"),
        _text("rule_version"),
        _text("policy"),
        _text("calendar"),
        _text("calendar_version"),
        _text("producer"),
        _text("cut_of"),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_index("artifacts_as_of", "artifacts", ["dataset", "as_of_ns"])
    op.create_table(
        "leaves",
        _text("fingerprint"),
        _text("month"),
        _text("digest"),
        _int("rows"),
        sa.PrimaryKeyConstraint("fingerprint", "month"),
    )
    op.create_table(
        "spans",
        _text("fingerprint"),
        _int("start_ns"),
        _int("end_ns"),
        sa.PrimaryKeyConstraint("fingerprint", "start_ns"),
    )


def _create_stored() -> None:
    op.create_table("stored", _text("dataset"), _int("version"), sa.PrimaryKeyConstraint("dataset"))
    op.create_table(
        "stored_parts",
        _text("dataset"),
        _text("month"),
        _int("sequence"),
        _text("file"),
        _text("sha256"),
        _int("rows"),
        _int("start_ns"),
        _int("end_ns"),
        _text("producer"),
        sa.PrimaryKeyConstraint("dataset", "month", "sequence"),
    )
    op.create_table(
        "stored_spans",
        _text("dataset"),
        _text("statement"),
        _int("start_ns"),
        _int("end_ns"),
        sa.PrimaryKeyConstraint("dataset", "statement", "start_ns"),
        sqlite_with_rowid=False,
    )
