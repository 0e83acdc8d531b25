"""Garbage collection's transactions: what is due, and what is dropped, with its events, in one commit.

Records are purged after the commit, from rows that say up to where: a crash in between loses no purge, and a queue
taken up meanwhile loses none of its new records.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager import revisions
from dagmanager.artifacts.domain import Artifact
from dagmanager.artifacts.store import keep_artifact
from dagmanager.garbage.domain import REPORTED_MAX, RETRY_AFTER, Candidate, Kept
from dagmanager.queues import events as queues_events
from dagmanager.queues import recompute, tag_queries
from dagmanager.queues import store as queues_store
from dagmanager.queues.domain.queues import RETENTION, Counters, QueueState
from dagmanager.queues.events import Cause
from dagmanager.revisions import GRAPH, advance
from dagmanager.tables import nodes, purges, queues
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.lists import bounded

NAMES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Condemned:
    """A queue to drop: its records end at `last_sequence`, and are in `archive` where its class asks for one."""

    queue: Candidate
    last_sequence: int
    archive: Artifact | None = None


@dataclass(frozen=True, slots=True)
class Purge:
    """Records of a dropped queue that are still at the broker."""

    purge_no: int
    compute_key: str
    queue_class: str
    world_id: str
    execution_domain: str
    last_sequence: int


def named(conn: Connection, compute_keys: Collection[str], now: datetime) -> list[Candidate]:
    """The queues of these keys that exist, by key."""
    found: list[Candidate] = []
    for part in bounded(sorted(compute_keys)):
        wanted = _candidates(now).where(queues.c.compute_key.in_(part)).order_by(queues.c.compute_key)
        found += map(_candidate, conn.execute(wanted))
    return found


def released(conn: Connection) -> int:
    """How many queues nobody refers to any more."""
    waiting = sa.select(sa.func.count()).select_from(queues).where(queues.c.released_us.is_not(None))
    return conn.execute(waiting).scalar_one()


def due(conn: Connection, now: datetime, *, tried_before: bool) -> list[Candidate]:
    """Released queues past their time, longest released first; bounded. `tried_before`: also those put off, last.

    Those of an unknown class follow, whatever their age, so that they never fill a round.
    """
    waiting = queues.c.retry_us > micros(now)
    wanted = _candidates(now).where(queues.c.state == QueueState.RELEASED.name)
    if not tried_before:
        wanted = wanted.where(sa.or_(queues.c.retry_us.is_(None), ~waiting))
    wanted = wanted.order_by(queues.c.released_us, queues.c.compute_key).limit(REPORTED_MAX)
    found: list[Candidate] = []
    for queue_class, keep in RETENTION.items():
        old = queues.c.released_us <= micros(now - keep.ttl - keep.grace)
        found += map(_candidate, conn.execute(wanted.where(nodes.c.queue_class == queue_class.name, old)))
    found.sort(key=lambda queue: (queue.put_off, queue.released_at, queue.compute_key))
    known = [queue_class.name for queue_class in RETENTION]
    unknown = conn.execute(wanted.where(nodes.c.queue_class.not_in(known)))
    return found[:REPORTED_MAX] + list(map(_candidate, unknown))


def put_off(conn: Connection, compute_keys: Collection[str], now: datetime) -> None:
    """Leave queues alone for an hour, so that what cannot be dropped does not fill every round."""
    for part in bounded(sorted(compute_keys)):
        late = sa.update(queues).where(queues.c.compute_key.in_(part), queues.c.released_us.is_not(None))
        conn.execute(late.values(retry_us=micros(now + RETRY_AFTER)))


def drop(conn: Connection, condemned: Sequence[Condemned], cause: Cause) -> dict[str, Kept]:
    """Drop the queues that did not change since they were looked at, and publish it; returns the others."""
    revisions.lock_graph(conn, exclusive=True)
    dropped = [each for each in condemned if _mark_dropped(conn, each.queue)]
    keys = [each.queue.compute_key for each in dropped]
    for each in sorted(dropped, key=lambda each: each.queue.compute_key):
        _record(conn, each, cause)
    recompute.forget(conn, keys)
    tag_queries.publish_sets(conn, tag_queries.touched_queries(conn, queues_store.traits_of(conn, keys)), cause)
    if dropped:
        advance(conn, GRAPH)
    gone = set(keys)
    return {each.queue.compute_key: Kept.CHANGED for each in condemned if each.queue.compute_key not in gone}


def pending_purges(conn: Connection) -> list[Purge]:
    """Records of dropped queues that are still to be removed, oldest first."""
    wanted = sa.select(purges).order_by(purges.c.purge_no).limit(REPORTED_MAX)
    return [Purge(**row._mapping) for row in conn.execute(wanted)]


def forget_purges(conn: Connection, numbers: Collection[int]) -> None:
    """Forget purges whose records are removed."""
    for part in bounded(sorted(numbers)):
        conn.execute(sa.delete(purges).where(purges.c.purge_no.in_(part)))


def _mark_dropped(conn: Connection, queue: Candidate) -> bool:
    """Only what is exactly as it was judged and archived."""
    assert queue.released_at is not None, "only released queues are condemned"
    counters = queue.counters
    same = (
        queues.c.compute_key == queue.compute_key,
        queues.c.state == QueueState.RELEASED.name,
        queues.c.released_us == micros(queue.released_at),
        queues.c.rows == counters.rows,
        queues.c.last_bucket_us.is_not_distinct_from(counters.last_us),
    )
    forgotten = dict.fromkeys(("released_us", "retry_us", "lost_first_us", "lost_last_us"))
    after = sa.update(queues).where(*same).values(state=QueueState.DROPPED.name, **forgotten)
    return conn.execute(after).rowcount == 1


def _record(conn: Connection, condemned: Condemned, cause: Cause) -> None:
    queue = condemned.queue
    if condemned.archive is not None:
        keep_artifact(conn, condemned.archive, queue.compute_key, cause.now)
        step = controlpb.QUEUE_LIFECYCLE_STEP_ARCHIVED
        queues_events.publish_step(conn, queue.compute_key, step, condemned.archive.path, cause)
    if condemned.last_sequence:
        values = {
            "compute_key": queue.compute_key,
            "queue_class": queue.queue_class,
            "world_id": queue.world_id,
            "execution_domain": queue.execution_domain,
            "last_sequence": condemned.last_sequence,
        }
        conn.execute(sa.insert(purges).values(values))
    reason = f"released at {queue.released_at}, class {queue.queue_class}"
    queues_events.publish_step(conn, queue.compute_key, controlpb.QUEUE_LIFECYCLE_STEP_DROPPED, reason, cause)


def _candidates(now: datetime) -> sa.Select[Any]:
    return sa.select(
        queues.c.compute_key,
        queues.c.node_id,
        queues.c.world_id,
        queues.c.execution_domain,
        nodes.c.queue_class,
        queues.c.state,
        queues.c.released_us,
        queues.c.rows,
        queues.c.first_bucket_us,
        queues.c.last_bucket_us,
        (sa.func.coalesce(queues.c.retry_us, 0) > micros(now)).label("put_off"),
    ).join(nodes, nodes.c.node_id == queues.c.node_id)


def _candidate(row: sa.Row[Any]) -> Candidate:
    return Candidate(
        compute_key=row.compute_key,
        node_id=row.node_id,
        world_id=row.world_id,
        execution_domain=row.execution_domain,
        queue_class=row.queue_class,
        state=row.state,
        released_at=None if row.released_us is None else instant(row.released_us),
        counters=Counters(row.rows, row.first_bucket_us, row.last_bucket_us),
        put_off=bool(row.put_off),
    )
