"""Tables of the graph. Instants are integer microseconds since the epoch; enums are their names.

Nodes, edges and DAGs are append-only and shared by the mesh; queues and references belong to one context.
Every hot query is an index lookup on a bounded set.
"""

from __future__ import annotations

import sqlalchemy as sa

from controlbus.outbox.outbox import outbox_tables

metadata = sa.MetaData()
outbox = outbox_tables(metadata)

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER is a rowid in SQLite


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _int(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, _BIG, primary_key=key, nullable=nullable, autoincrement=False)


nodes = sa.Table(
    "nodes",
    metadata,
    # Short and in order of arrival: what refers to the nodes of one DAG by number stays together on disk.
    sa.Column("node_no", _BIG, primary_key=True, autoincrement=True),
    _text("node_id"),
    _text("node_type"),
    _int("interval_s"),
    sa.Column("canonical", sa.LargeBinary, nullable=False),  # what the NodeID is the hash of; the spec is read from it
    _text("schema_hash"),
    _text("queue_class"),
    _text("kind"),
    _text("tags"),  # sorted, joined by commas
    _text("label"),
    _text("owner"),
    _int("created_us"),
    _int("buffering_since_us", nullable=True),
    sa.UniqueConstraint("node_id", name="nodes_node_id"),
    sa.UniqueConstraint("label", name="nodes_label"),
    sa.Index("nodes_type", "node_type", "node_id"),
)
edges = sa.Table(
    "edges",
    metadata,
    _int("node_no", key=True),
    _int("dependency_no", key=True),
    sa.Index("edges_dependency", "dependency_no", "node_no"),
    sqlite_with_rowid=False,
)
node_tags = sa.Table(
    "node_tags",
    metadata,
    _text("tag", key=True),
    _int("interval_s", key=True),
    _int("node_no", key=True),
    sqlite_with_rowid=False,
)
dags = sa.Table(
    "dags",
    metadata,
    sa.Column("dag_id", _BIG, primary_key=True, autoincrement=True),
    _text("digest"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _int("node_count"),
    _int("node_ids_crc32"),
    sa.UniqueConstraint("digest", name="dags_digest"),
)
dag_nodes = sa.Table(
    "dag_nodes",
    metadata,
    _int("dag_id", key=True),
    _int("node_no", key=True),
    sa.Index("dag_nodes_node", "node_no", "dag_id"),
    sqlite_with_rowid=False,
)
plans = sa.Table(
    "plans",
    metadata,
    _text("strategy_id", key=True),
    _int("version", key=True),
    _text("version_label"),
    _int("dag_id"),
    _text("created_by"),
    _int("created_us"),
    sa.Index("plans_dag", "dag_id"),
    sa.Index("plans_newest", "created_us", "strategy_id", "version"),
)
plan_contexts = sa.Table(
    "plan_contexts",
    metadata,
    _text("strategy_id", key=True),
    _int("version", key=True),
    _text("world_id", key=True),
    _text("execution_domain", key=True),
    _text("as_of", key=True),
    _text("partition", key=True),
    _int("dag_id"),
    _int("created_us"),
    _int("released_us", nullable=True),
    sa.Index(
        "plan_contexts_live",
        "world_id",
        "execution_domain",
        "as_of",
        "partition",
        sqlite_where=sa.text("released_us IS NULL"),
        postgresql_where=sa.text("released_us IS NULL"),
    ),
    sa.Index("plan_contexts_dag", "dag_id"),
)
queues = sa.Table(
    "queues",
    metadata,
    _text("compute_key", key=True),
    _text("node_id"),
    _text("world_id"),
    _text("execution_domain"),
    _text("as_of"),
    _text("partition"),
    _text("state"),
    _int("created_us"),
    _int("released_us", nullable=True),
    _int("first_bucket_us", nullable=True),
    _int("last_bucket_us", nullable=True),
    _int("rows"),
    _int("retry_us", nullable=True),  # collection failed: not before this instant again
    _int("lost_first_us", nullable=True),  # buckets whose records the broker lost, until they are written again
    _int("lost_last_us", nullable=True),
    sa.Index("queues_node", "node_id"),
    sa.Index("queues_world", "world_id", "execution_domain", "compute_key"),
    sa.Index(
        "queues_released",
        "released_us",
        sqlite_where=sa.text("released_us IS NOT NULL"),
        postgresql_where=sa.text("released_us IS NOT NULL"),
    ),
    sa.Index(
        "queues_lost",
        "lost_last_us",
        sqlite_where=sa.text("lost_last_us IS NOT NULL"),
        postgresql_where=sa.text("lost_last_us IS NOT NULL"),
    ),
)
record_streams = sa.Table(
    "record_streams",
    metadata,
    _text("stream", key=True),
    _int("made_us"),  # when the broker made it: another instant is another store
    _int("last_sequence"),  # how far it had come
)
sentinels = sa.Table(
    "sentinels",
    metadata,
    _text("sentinel_id", key=True),
    _text("strategy_id"),
    _int("version"),
    _text("commit_hash"),
    sa.Column("traffic_weight", sa.Double, nullable=False),
    _int("revision"),
    _int("created_us"),
    sa.UniqueConstraint("strategy_id", "version", name="sentinels_version"),
    sa.Index("sentinels_age", "created_us"),
)
buffering = sa.Table(
    "buffering",
    metadata,
    _text("compute_key", key=True),
    _text("node_id"),
    _int("since_us"),
    _int("after_us", nullable=True),  # last bucket written before the schema changed
    _int("due_us", nullable=True),  # when its recompute was published as due
    sa.Index("buffering_node", "node_id"),
    sa.Index("buffering_age", "since_us"),
)
purges = sa.Table(
    "purges",
    metadata,
    sa.Column("purge_no", _BIG, primary_key=True, autoincrement=True),
    _text("compute_key"),
    _text("queue_class"),
    _text("world_id"),
    _text("execution_domain"),
    _int("last_sequence"),  # what was written later belongs to the queue's next life
)
artifacts = sa.Table(
    "artifacts",
    metadata,
    _text("path", key=True),
    _text("checksum"),
    _int("size_bytes"),
    _text("used_by"),
    _int("created_us"),
)
tag_queries = sa.Table(
    "tag_queries",
    metadata,
    _text("key", key=True),
    _text("tags"),
    _text("match_mode"),
    _int("interval_s"),
    _text("world_id"),
    _text("execution_domain"),
)
tag_query_tags = sa.Table(
    "tag_query_tags",
    metadata,
    _text("tag", key=True),
    _text("key", key=True),
    sqlite_with_rowid=False,
)
tag_query_refs = sa.Table(
    "tag_query_refs",
    metadata,
    _text("key", key=True),
    _text("strategy_id", key=True),
    _int("version", key=True),
    _text("world_id", key=True),
    sa.Index("tag_query_refs_plan", "strategy_id", "version", "world_id"),
    sqlite_with_rowid=False,
)
watches = sa.Table(
    "watches",
    metadata,
    _text("watch_id", key=True),
    _text("key"),
    _int("renewed_us"),
    sa.Index("watches_key", "key"),
)
answers = sa.Table(
    "answers",
    metadata,
    _text("answer_id", key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _int("created_us"),
    sa.Index("answers_age", "created_us"),
)
diffs = sa.Table(
    "diffs",
    metadata,
    _text("request_id", key=True),
    _text("request_digest"),
    _text("strategy_id"),
    _text("answer_id"),
    sa.Column("summary", sa.LargeBinary, nullable=False),
    _int("created_us"),
    sa.Index("diffs_age", "created_us"),
    sa.Index("diffs_answer", "answer_id"),
)
seen = sa.Table(
    "seen",
    metadata,
    _text("question", key=True),
    _int("settled_revision"),
    _text("answer_id"),
    sa.Column("summary", sa.LargeBinary, nullable=False),
    _int("created_us"),
    sa.Index("seen_age", "created_us"),
    sa.Index("seen_answer", "answer_id"),
)
revisions = sa.Table("revisions", metadata, _text("name", key=True), _int("revision"))
