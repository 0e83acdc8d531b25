"""The first tables of the graph. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

from controlbus.outbox.outbox import create_tables

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    create_tables(op)  # type: ignore[arg-type]  # the op module stands for the Operations of this run
    _create_graph()
    _create_plans()
    _create_tag_queries()
    _create_answers()
    _create_watches()
    _create_collection()


def _create_graph() -> None:
    op.create_table(
        "nodes",
        sa.Column("node_no", _BIG, autoincrement=True, nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("node_type", sa.Text(), nullable=False),
        sa.Column("interval_s", _BIG, nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.Column("schema_hash", sa.Text(), nullable=False),
        sa.Column("queue_class", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("buffering_since_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("node_no"),
        sa.UniqueConstraint("node_id", name="nodes_node_id"),
        sa.UniqueConstraint("label", name="nodes_label"),
    )
    op.create_index("nodes_type", "nodes", ["node_type", "node_id"])
    op.create_table(
        "edges",
        sa.Column("node_no", _BIG, nullable=False),
        sa.Column("dependency_no", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("node_no", "dependency_no"),
        sqlite_with_rowid=False,
    )
    op.create_index("edges_dependency", "edges", ["dependency_no", "node_no"])
    op.create_table(
        "node_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("interval_s", _BIG, nullable=False),
        sa.Column("node_no", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("tag", "interval_s", "node_no"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "queues",
        sa.Column("compute_key", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("released_us", _BIG, nullable=True),
        sa.Column("first_bucket_us", _BIG, nullable=True),
        sa.Column("last_bucket_us", _BIG, nullable=True),
        sa.Column("rows", _BIG, nullable=False),
        sa.Column("retry_us", _BIG, nullable=True),
        sa.Column("lost_first_us", _BIG, nullable=True),
        sa.Column("lost_last_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("compute_key"),
    )
    op.create_index(
        "queues_lost",
        "queues",
        ["lost_last_us"],
        sqlite_where=sa.text("lost_last_us IS NOT NULL"),
        postgresql_where=sa.text("lost_last_us IS NOT NULL"),
    )
    op.create_index("queues_node", "queues", ["node_id"])
    op.create_index(
        "queues_released",
        "queues",
        ["released_us"],
        sqlite_where=sa.text("released_us IS NOT NULL"),
        postgresql_where=sa.text("released_us IS NOT NULL"),
    )
    op.create_index("queues_world", "queues", ["world_id", "execution_domain", "compute_key"])
    op.create_table(
        "record_streams",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("made_us", _BIG, nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )


def _create_plans() -> None:
    op.create_table(
        "dags",
        sa.Column("dag_id", _BIG, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("node_count", _BIG, nullable=False),
        sa.Column("node_ids_crc32", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("dag_id"),
        sa.UniqueConstraint("digest", name="dags_digest"),
    )
    op.create_table(
        "dag_nodes",
        sa.Column("dag_id", _BIG, nullable=False),
        sa.Column("node_no", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "node_no"),
        sqlite_with_rowid=False,
    )
    op.create_index("dag_nodes_node", "dag_nodes", ["node_no", "dag_id"])
    op.create_table(
        "plans",
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("version_label", sa.Text(), nullable=False),
        sa.Column("dag_id", _BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("strategy_id", "version"),
    )
    op.create_index("plans_dag", "plans", ["dag_id"])
    op.create_index("plans_newest", "plans", ["created_us", "strategy_id", "version"])
    op.create_table(
        "plan_contexts",
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("dag_id", _BIG, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("released_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("strategy_id", "version", "world_id", "execution_domain", "as_of", "partition"),
    )
    op.create_index("plan_contexts_dag", "plan_contexts", ["dag_id"])
    op.create_index(
        "plan_contexts_live",
        "plan_contexts",
        ["world_id", "execution_domain", "as_of", "partition"],
        sqlite_where=sa.text("released_us IS NULL"),
        postgresql_where=sa.text("released_us IS NULL"),
    )
    op.create_table(
        "sentinels",
        sa.Column("sentinel_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("commit_hash", sa.Text(), nullable=False),
        sa.Column("traffic_weight", sa.Double(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sentinel_id"),
        sa.UniqueConstraint("strategy_id", "version", name="sentinels_version"),
    )
    op.create_index("sentinels_age", "sentinels", ["created_us"])


def _create_tag_queries() -> None:
    op.create_table(
        "tag_queries",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("match_mode", sa.Text(), nullable=False),
        sa.Column("interval_s", _BIG, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "tag_query_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_query_refs",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "strategy_id", "version", "world_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("tag_query_refs_plan", "tag_query_refs", ["strategy_id", "version", "world_id"])


def _create_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("answer_id"),
    )
    op.create_index("answers_age", "answers", ["created_us"])
    op.create_table(
        "diffs",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("summary", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("diffs_age", "diffs", ["created_us"])
    op.create_index("diffs_answer", "diffs", ["answer_id"])
    op.create_table(
        "seen",
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("settled_revision", _BIG, nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("summary", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("question"),
    )
    op.create_index("seen_age", "seen", ["created_us"])
    op.create_index("seen_answer", "seen", ["answer_id"])
    op.create_table(
        "revisions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_watches() -> None:
    op.create_table(
        "watches",
        sa.Column("watch_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("renewed_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("watch_id"),
    )
    op.create_index("watches_key", "watches", ["key"])


def _create_collection() -> None:
    op.create_table(
        "buffering",
        sa.Column("compute_key", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("since_us", _BIG, nullable=False),
        sa.Column("after_us", _BIG, nullable=True),
        sa.Column("due_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("compute_key"),
    )
    op.create_index("buffering_node", "buffering", ["node_id"])
    op.create_index("buffering_age", "buffering", ["since_us"])
    op.create_table(
        "purges",
        sa.Column("purge_no", _BIG, autoincrement=True, nullable=False),
        sa.Column("compute_key", sa.Text(), nullable=False),
        sa.Column("queue_class", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("execution_domain", sa.Text(), nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("purge_no"),
    )
    op.create_table(
        "artifacts",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("size_bytes", _BIG, nullable=False),
        sa.Column("used_by", sa.Text(), nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
