"""Rows of queues: the conditions that find them, and what was written to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.queues.domain.queues import QueueState, QueueTraits
from dagmanager.tables import nodes, plan_contexts, queues
from qmtl.core import errors
from qmtl.core.errors import NotFound, NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.lists import bounded

CONTEXT_COLUMNS = ("world_id", "execution_domain", "as_of", "partition")
Condition = sa.ColumnElement[bool]


def report_progress(conn: Connection, compute_key: str, first: datetime, last: datetime, rows: int) -> bool:
    """Count rows written to a queue; what reaches no further than before is a repeat and changes nothing.

    Returns whether they are the last of those that the broker had lost.

    Raises NotFound (E_QUEUE_UNKNOWN), NotReady (E_QUEUE_DROPPED), InvalidRequest (E_PROGRESS) when the range is empty
    or overlaps what was counted.
    """
    if first > last or rows < 1:
        raise errors.refused("E_PROGRESS", "last_bucket, rows", f"{last} with {rows} rows", "a range with rows in it")
    mine = queues.c.compute_key == compute_key
    locked = sa.select(queues).where(mine).with_for_update()
    row = conn.execute(locked).one_or_none()
    if row is None:
        raise NotFound("E_QUEUE_UNKNOWN", f"no queue {compute_key!r}", metadata={"compute_key": compute_key})
    if row.state == QueueState.DROPPED.name:
        raise NotReady(
            "E_QUEUE_DROPPED",
            f"queue {compute_key!r} was dropped",
            hint="a diff that names its node takes it up again",
            metadata={"compute_key": compute_key},
        )
    if row.last_bucket_us is not None and micros(last) <= row.last_bucket_us:
        return False
    if row.last_bucket_us is not None and micros(first) <= row.last_bucket_us:
        raise errors.refused("E_PROGRESS", "first_bucket", str(first), f"after {instant(row.last_bucket_us)}")
    begins = micros(first) if row.first_bucket_us is None else row.first_bucket_us
    counted = {"first_bucket_us": begins, "last_bucket_us": micros(last), "rows": queues.c.rows + rows}
    found = row.lost_last_us is not None and begins <= row.lost_first_us and row.lost_last_us <= micros(last)
    cleared = {"lost_first_us": None, "lost_last_us": None} if found else {}
    conn.execute(sa.update(queues).where(mine).values({**counted, **cleared}))
    return found


def same_context_as_queue() -> tuple[Condition, ...]:
    """The condition that a plan's reference and a queue are in one context."""
    return tuple(plan_contexts.c[name] == queues.c[name] for name in CONTEXT_COLUMNS)


def traits_of(conn: Connection, compute_keys: Sequence[str]) -> set[QueueTraits]:
    """What tag queries can ask of these queues."""
    traits: set[QueueTraits] = set()
    for part in bounded(compute_keys):
        rows = conn.execute(
            sa.select(nodes.c.tags, nodes.c.interval_s, queues.c.world_id, queues.c.execution_domain)
            .join(nodes, nodes.c.node_id == queues.c.node_id)
            .where(queues.c.compute_key.in_(part))
            .distinct()
        )
        for tags, interval_s, world_id, domain in rows:
            traits.add(QueueTraits(tuple(tags.split(",")), interval_s, world_id, ExecutionDomain[domain]))
    return traits
