"""Registered tag queries, and the sets of queues that answer them, published in the transaction that changes one.

QueueUpdated goes to registered tag queries only and carries the whole set after the change; the drafts of
one query are made under a lock of its row, so that each set contains the ones before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.queues import wire
from dagmanager.queues.domain.queues import MatchMode, QueueTraits, TagQuery, matches
from dagmanager.queues.events import Cause, draft
from dagmanager.queues.reads import matching_queues
from dagmanager.tables import outbox, tag_queries, tag_query_refs, tag_query_tags, watches
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.modes import ExecutionDomain
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.sql.statements.lists import any_of, bounded
from qmtl.sql.statements.prepared import Prepared

SET_BYTES_MAX = 800 * 1024  # the bus refuses bodies above 900 KiB
SET_MAX = 5_000


def unregistered(conn: Connection, queries: Sequence[TagQuery]) -> list[TagQuery]:
    """The queries that nobody has registered yet."""
    known: set[str] = set()
    for part in bounded([query.key for query in queries]):
        known.update(_KNOWN.rows(conn, {"keys": part}).scalars())
    return [query for query in queries if query.key not in known]


def register(conn: Connection, queries: Sequence[TagQuery], strategy_id: str, version: int) -> None:
    """Have each query's set published as long as this plan is live in the query's world."""
    for query in sorted(queries, key=lambda query: query.key):
        register_query(conn, query)
        values = {"key": query.key, "strategy_id": strategy_id, "version": version, "world_id": query.world_id}
        _REGISTER_REF.send(conn, values)


def register_query(conn: Connection, query: TagQuery) -> None:
    """Make a query known; who asks it is the caller's to write down."""
    values = {
        "key": query.key,
        "tags": ",".join(query.tags),
        "match_mode": query.match_mode.name,
        "interval_s": query.interval_s,
        "world_id": query.world_id,
        "execution_domain": "" if query.execution_domain is None else query.execution_domain.name,
    }
    _REGISTER.send(conn, values)
    _REGISTER_TAG.send_each(conn, [{"key": query.key, "tag": tag} for tag in query.tags])


def unregister(conn: Connection, strategy_id: str, version: int, world_id: str) -> None:
    """Drop a plan's registrations in one world."""
    mine = (
        tag_query_refs.c.strategy_id == strategy_id,
        tag_query_refs.c.version == version,
        tag_query_refs.c.world_id == world_id,
    )
    forget_unasked(
        conn, set(conn.execute(sa.delete(tag_query_refs).where(*mine).returning(tag_query_refs.c.key)).scalars())
    )


def forget_unasked(conn: Connection, keys: Collection[str]) -> None:
    """Delete the queries that no plan and no watch refers to any more."""
    for part in bounded(sorted(keys)):
        asked: set[str] = set()
        for asking in (tag_query_refs, watches):
            asked.update(conn.execute(sa.select(asking.c.key).where(asking.c.key.in_(part))).scalars())
        gone = [key for key in part if key not in asked]
        conn.execute(sa.delete(tag_query_tags).where(tag_query_tags.c.key.in_(gone)))
        conn.execute(sa.delete(tag_queries).where(tag_queries.c.key.in_(gone)))


def publish_sets(conn: Connection, queries: Sequence[TagQuery], cause: Cause) -> None:
    """Publish the present set of each query."""
    by_key = {query.key: query for query in queries}
    if conn.dialect.name == "postgresql":
        for part in bounded(sorted(by_key)):
            locked = sa.select(tag_queries.c.key).where(tag_queries.c.key.in_(part)).order_by(tag_queries.c.key)
            conn.execute(locked.with_for_update()).all()
    for key in sorted(by_key):
        found = matching_queues(conn, by_key[key], SET_MAX + 1)
        kept = _within(found[:SET_MAX])
        payload = controlpb.QueueUpdated(
            query=wire.tag_query_to_proto(by_key[key]), queues=found[:kept], truncated=kept < len(found)
        )
        outbox.append(conn, draft(key, payload, cause))


def touched_queries(conn: Connection, words: Collection[QueueTraits]) -> list[TagQuery]:
    """Registered queries that at least one of these queues answers."""
    if not words or _ANY_QUERY.rows(conn).first() is None:
        return []
    touched: dict[str, TagQuery] = {}
    for part in bounded(sorted({tag for queue in words for tag in queue.tags})):
        asking = sa.select(tag_query_tags.c.key).where(tag_query_tags.c.tag.in_(part))
        for row in conn.execute(sa.select(tag_queries).where(tag_queries.c.key.in_(asking))):
            query = TagQuery(
                tuple(row.tags.split(",")),
                MatchMode[row.match_mode],
                row.interval_s,
                row.world_id,
                ExecutionDomain[row.execution_domain] if row.execution_domain else None,
            )
            if query.key not in touched and any(_answers(query, queue) for queue in words):
                touched[query.key] = query
    return list(touched.values())


def set_revision(conn: Connection, query: TagQuery) -> int:
    """The revision of the last set published for a query; 0 when none was."""
    return outbox.revision(conn, "queue_updated", query.key)


def _answers(query: TagQuery, queue: QueueTraits) -> bool:
    return matches(query, queue.tags, queue.interval_s, queue.world_id, queue.execution_domain)


def _within(queues: Sequence[queuepb.Queue]) -> int:
    """How many of the queues fit into one event."""
    held = 0
    for index, queue in enumerate(queues):
        held += queue.ByteSize() + 4
        if held > SET_BYTES_MAX:
            return index
    return len(queues)


_KNOWN = Prepared(sa.select(tag_queries.c.key).where(tag_queries.c.key.in_(any_of("keys"))))
_ANY_QUERY = Prepared(sa.select(tag_queries.c.key).limit(1))
_REGISTER = Prepared(
    "INSERT INTO tag_queries (key, tags, match_mode, interval_s, world_id, execution_domain) "
    "VALUES (:key, :tags, :match_mode, :interval_s, :world_id, :execution_domain) ON CONFLICT DO NOTHING"
)
_REGISTER_TAG = Prepared("INSERT INTO tag_query_tags (tag, key) VALUES (:tag, :key) ON CONFLICT DO NOTHING")
_REGISTER_REF = Prepared(
    "INSERT INTO tag_query_refs (key, strategy_id, version, world_id) "
    "VALUES (:key, :strategy_id, :version, :world_id) ON CONFLICT DO NOTHING"
)
