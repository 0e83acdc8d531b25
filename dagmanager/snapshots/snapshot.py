"""Snapshots of the graph: one file, a content hash that no encoding changes, and a check that reads it all back.

Rows are told by NodeIDs and digests, never by the numbers a store gave them, so that two stores with one graph have
one hash; the bodies of DAGs are beside them and not part of it, as their digests are. What only serves operation is
left out: stored answers, watches, the outbox.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import orjson
import sqlalchemy as sa
from blake3 import blake3
from sqlalchemy import Connection

from dagmanager.artifacts import files
from dagmanager.artifacts.domain import Artifact
from dagmanager.tables import dag_nodes, dags, nodes, plan_contexts, plans, queues, sentinels
from qmtl.core.errors import DataLoss, InvalidRequest, NotFound, Violation

FORMAT = "qmtl.graph.1"
PAGE = 5_000
_BODY = b'["dag_body",'


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of fact: its rows, told apart by the first `keys` columns."""

    name: str
    keys: int
    rows: sa.Select[Any]


TABLES = (
    Table(
        "nodes",
        1,
        sa.select(
            nodes.c.node_id, nodes.c.canonical, nodes.c.schema_hash, nodes.c.queue_class, nodes.c.kind, nodes.c.tags,
            nodes.c.label, nodes.c.owner, nodes.c.created_us, nodes.c.buffering_since_us,
        ),
    ),
    Table("dags", 1, sa.select(dags.c.digest, dags.c.node_count, dags.c.node_ids_crc32)),
    Table(
        "dag_nodes",
        2,
        sa.select(dags.c.digest, nodes.c.node_id)
        .select_from(dag_nodes)
        .join(dags, dags.c.dag_id == dag_nodes.c.dag_id)
        .join(nodes, nodes.c.node_no == dag_nodes.c.node_no),
    ),
    Table(
        "plans",
        2,
        sa.select(
            plans.c.strategy_id, plans.c.version, plans.c.version_label, dags.c.digest, plans.c.created_by,
            plans.c.created_us,
        ).join(dags, dags.c.dag_id == plans.c.dag_id),
    ),
    Table(
        "plan_contexts",
        6,
        sa.select(
            plan_contexts.c.strategy_id, plan_contexts.c.version, plan_contexts.c.world_id,
            plan_contexts.c.execution_domain, plan_contexts.c.as_of, plan_contexts.c.partition,
            plan_contexts.c.created_us, plan_contexts.c.released_us,
        ),
    ),
    Table(
        "queues",
        1,
        sa.select(
            queues.c.compute_key, queues.c.node_id, queues.c.world_id, queues.c.execution_domain, queues.c.as_of,
            queues.c.partition, queues.c.state, queues.c.created_us, queues.c.released_us, queues.c.first_bucket_us,
            queues.c.last_bucket_us, queues.c.rows,
        ),
    ),
    Table(
        "sentinels",
        1,
        sa.select(
            sentinels.c.sentinel_id, sentinels.c.strategy_id, sentinels.c.version, sentinels.c.commit_hash,
            sentinels.c.traffic_weight, sentinels.c.revision, sentinels.c.created_us,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file, and the hash of what it says."""

    artifact: Artifact
    content_hash: str


def export(conn: Connection, root: str, url: str) -> Snapshot:
    """Write the graph as it is to a file below the root.

    Raises InvalidRequest (E_URL) for a place outside it, or that cannot be written.
    """
    path = files.below(root, url)
    _one_moment(conn)
    sink = BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=3, mtime=0) as packed:
        content_hash = _write(conn, packed)
    body = sink.getvalue()
    try:
        artifact = files.write_bytes(path, body + seal(body))
    except (OSError, ValueError, ImportError, files.Unverified) as error:
        violation = Violation("url", path, f"a place that can be written: {error}")
        raise InvalidRequest("E_URL", str(violation), violations=(violation,)) from error
    return Snapshot(artifact, content_hash)


def read(root: str, url: str) -> str:
    """The content hash of a snapshot, read back whole.

    Raises InvalidRequest (E_URL), NotFound (E_SNAPSHOT_UNKNOWN), DataLoss (E_SNAPSHOT_DAMAGED) for any changed byte.
    """
    path = files.below(root, url)
    try:
        raw = files.read_bytes(path)
    except FileNotFoundError:
        raise NotFound("E_SNAPSHOT_UNKNOWN", f"no snapshot at {path}", metadata={"url": path}) from None
    except (OSError, ValueError, ImportError) as error:
        violation = Violation("url", path, f"a file that can be read: {error}")
        raise InvalidRequest("E_URL", str(violation), violations=(violation,)) from error
    return content_hash_of(raw, path)


def content_hash_of(raw: bytes, path: str) -> str:
    """Check the bytes of a snapshot against their seal and their content hash. Raises DataLoss."""
    length = len(seal(b""))
    body = raw[:-length]
    if len(raw) <= length or raw[-length:] != seal(body):
        raise _damaged(path, "the bytes are not those that were written")
    found, head, said = blake3(), b"", b""
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as lines:
            head = lines.readline()
            for line in lines:
                if not said.startswith(_BODY):
                    found.update(said)
                said = line
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, f"it cannot be decoded: {error}") from error
    content_hash = f"blake3:{found.hexdigest()}"
    if (head, said) != (_line({"format": FORMAT}), _line({"content_hash": content_hash})):
        raise _damaged(path, "the content does not match its hash")
    return content_hash


def current_hash(conn: Connection) -> str:
    """The content hash of the graph as it is."""
    _one_moment(conn)
    found = blake3()
    for line in _lines(conn):
        found.update(line)
    return f"blake3:{found.hexdigest()}"


def _one_moment(conn: Connection) -> None:
    """See one state of the graph in the whole transaction; to be called before anything is read."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def _write(conn: Connection, sink: gzip.GzipFile) -> str:
    found = blake3()
    sink.write(_line({"format": FORMAT}))
    for line in _lines(conn):
        found.update(line)
        sink.write(line)
    for digest, body in conn.execute(sa.select(dags.c.digest, dags.c.body).execution_options(yield_per=PAGE // 50)):
        sink.write(_line(["dag_body", digest, b64encode(body).decode()]))
    content_hash = f"blake3:{found.hexdigest()}"
    sink.write(_line({"content_hash": content_hash}))
    return content_hash


def _lines(conn: Connection) -> Iterator[bytes]:
    """Every fact as one line, in an order that all stores agree on."""
    for table in TABLES:
        columns = list(table.rows.selected_columns)
        keys = [_bytewise(conn, column) for column in columns[: table.keys]]
        for row in conn.execute(table.rows.order_by(*keys).execution_options(yield_per=PAGE)):
            yield _line([table.name, *map(_plain, row)])


def _bytewise(conn: Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """PostgreSQL sorts text by the database's language unless told otherwise."""
    is_text = isinstance(column.type, sa.Text)
    return sa.collate(column, "C") if is_text and conn.dialect.name == "postgresql" else column


def _plain(value: object) -> object:
    """The canonical form of a node is the only column of bytes, and it is JSON."""
    return bytes(value).decode() if isinstance(value, bytes | memoryview) else value


def _line(value: object) -> bytes:
    return orjson.dumps(value) + b"\n"


def seal(body: bytes) -> bytes:
    """A last gzip member that names the digest of all bytes before it; stored, so its own bytes are fixed."""
    said = _line({"bytes": f"blake3:{blake3(body).hexdigest()}"})
    return gzip.compress(said, compresslevel=0, mtime=0)


def _damaged(path: str, why: str) -> DataLoss:
    return DataLoss(
        "E_SNAPSHOT_DAMAGED", f"{path}: {why}", hint="export it again, or use another copy", metadata={"url": path}
    )
