"""Queues whose node changed its schema: they buffer until new records cover the node's period.

Seven days without that, and RECOMPUTE_DUE is published; RECOMPUTED ends it. Buckets are event time, so a queue is
measured against the last bucket it had when the schema changed, never against the wall clock.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.queues import events, store
from dagmanager.queues.domain.queues import QueueState
from dagmanager.queues.domain.recompute import RECOMPUTE_AFTER, covers
from dagmanager.queues.events import Cause
from dagmanager.revisions import GRAPH, SETTLED, advance
from dagmanager.tables import buffering, nodes, queues
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.sql.instants import micros
from qmtl.sql.statements.lists import bounded

DUE_MAX = 500


def begin(conn: Connection, node_ids: Collection[str], now: datetime) -> None:
    """The nodes' schemas changed: what their queues hold must be covered by new records, from here on."""
    for part in bounded(sorted(node_ids)):
        found = (
            sa.select(queues.c.compute_key, queues.c.node_id, sa.literal(micros(now)), queues.c.last_bucket_us)
            .where(queues.c.node_id.in_(part), queues.c.state != QueueState.DROPPED.name)
            .order_by(queues.c.compute_key)
        )
        rows = [tuple(row) for row in conn.execute(found)]
        if rows:
            conn.execute(_BEGIN, [dict(zip(("key", "node_id", "now", "after"), row, strict=True)) for row in rows])


def report_progress(
    conn: Connection, compute_key: str, first: datetime, last: datetime, rows: int, cause: Cause
) -> None:
    """Count rows written to a queue; ends its buffering once they cover it. Raises as queuerows.report_progress."""
    if store.report_progress(conn, compute_key, first, last, rows):
        step = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTED
        events.publish_step(conn, compute_key, step, "what the broker had lost is written again", cause)
    row = conn.execute(
        sa.select(
            buffering.c.node_id,
            buffering.c.after_us,
            nodes.c.interval_s,
            nodes.c.canonical,
            queues.c.first_bucket_us,
            queues.c.last_bucket_us,
        )
        .join(nodes, nodes.c.node_id == buffering.c.node_id)
        .join(queues, queues.c.compute_key == buffering.c.compute_key)
        .where(buffering.c.compute_key == compute_key)
    ).one_or_none()
    if row is None:
        return
    bars: int = orjson.loads(row.canonical)["period"]
    if covers(row.after_us, row.first_bucket_us, row.last_bucket_us, bars, row.interval_s * 1_000_000):
        conn.execute(sa.select(nodes.c.node_no).where(nodes.c.node_id == row.node_id).with_for_update())
        _end(conn, compute_key, cause)
        finish(conn, [row.node_id])


def publish_due(conn: Connection, cause: Cause) -> int:
    """Publish queues that have buffered for seven days, each once; returns how many."""
    waiting = (
        sa.select(buffering.c.compute_key)
        .join(queues, queues.c.compute_key == buffering.c.compute_key)
        .where(
            buffering.c.since_us <= micros(cause.now - RECOMPUTE_AFTER),
            buffering.c.due_us.is_(None),
            queues.c.state == QueueState.ACTIVE.name,
        )
        .order_by(buffering.c.compute_key)
        .limit(DUE_MAX)
    )
    found = list(conn.execute(waiting).scalars())
    published = 0
    for part in bounded(found):
        # Asked again in the update: on PostgreSQL a report may have ended it meanwhile.
        marked = sa.update(buffering).where(buffering.c.compute_key.in_(part), buffering.c.due_us.is_(None))
        due = conn.execute(marked.values(due_us=micros(cause.now)).returning(buffering.c.compute_key)).scalars().all()
        for compute_key in sorted(due):
            reason = f"the schema changed {RECOMPUTE_AFTER.days} days ago"
            step = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTE_DUE
            events.publish_step(conn, compute_key, step, reason, cause)
        published += len(due)
    return published


def forget(conn: Connection, compute_keys: Collection[str]) -> None:
    """Queues were dropped: what they held cannot be recomputed any more."""
    for part in bounded(sorted(compute_keys)):
        gone = sa.delete(buffering).where(buffering.c.compute_key.in_(part)).returning(buffering.c.node_id)
        finish(conn, set(conn.execute(gone).scalars()))


def finish(conn: Connection, node_ids: Collection[str]) -> None:
    """Nodes none of whose queues buffers any more do not either; stored answers that say so fall."""
    ended = 0
    for part in bounded(sorted(node_ids)):
        open_ = sa.exists().where(buffering.c.node_id == nodes.c.node_id)
        mine = (nodes.c.node_id.in_(part), nodes.c.buffering_since_us.is_not(None), ~open_)
        ended += conn.execute(sa.update(nodes).where(*mine).values(buffering_since_us=None)).rowcount
    if ended:
        advance(conn, SETTLED)
        advance(conn, GRAPH)


def _end(conn: Connection, compute_key: str, cause: Cause) -> None:
    gone = sa.delete(buffering).where(buffering.c.compute_key == compute_key).returning(buffering.c.due_us)
    if conn.execute(gone).scalar_one_or_none() is not None:
        step = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTED
        events.publish_step(conn, compute_key, step, "new records cover the period", cause)


_BEGIN = sa.text(
    "INSERT INTO buffering (compute_key, node_id, since_us, after_us) VALUES (:key, :node_id, :now, :after) "
    "ON CONFLICT (compute_key) DO UPDATE SET after_us = excluded.after_us"
)
