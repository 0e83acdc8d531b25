"""GetQueueStats: what the broker holds of queues, and how far behind the clock their last bucket is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.records.data_queue import DataQueue
from dagmanager.queues import records
from dagmanager.queues.records import Held
from dagmanager.tables import nodes, queues
from qmtl.core.errors import NotFound
from qmtl.core.identity.nodes import QueueClass
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.sql.instants import instant
from qmtl.sql.statements.lists import bounded

KEYS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Written:
    """How far a queue has come, by the catalogue. `log` is None for a class this build does not know."""

    compute_key: str
    world_id: str
    log: DataQueue | None
    interval_s: int
    last_bucket: datetime | None


def written(conn: Connection, compute_keys: Sequence[str], worlds: frozenset[str] | None) -> list[Written]:
    """The queues in the order asked. Raises NotFound (E_QUEUE_UNKNOWN) naming the first not in `worlds` or nowhere."""
    found: dict[str, Written] = {}
    for part in bounded(sorted(set(compute_keys))):
        rows = conn.execute(
            sa.select(queues, nodes.c.queue_class, nodes.c.interval_s)
            .join(nodes, nodes.c.node_id == queues.c.node_id)
            .where(queues.c.compute_key.in_(part))
        )
        found.update({row.compute_key: _written(row) for row in rows})
    for key in compute_keys:
        if key not in found or (worlds is not None and found[key].world_id not in worlds):
            raise NotFound("E_QUEUE_UNKNOWN", f"no queue {key!r}", metadata={"compute_key": key})
    return [found[key] for key in compute_keys]


async def measure(bus: Bus, asked: Sequence[Written], now: datetime) -> list[queuecatalogueservicepb.QueueStats]:
    """The queues' numbers. Raises Unavailable."""
    logs = [each.log for each in asked if each.log is not None]
    held = dict(zip(logs, await records.held(bus, logs), strict=True))
    return [_stats(each, held.get(each.log, Held(0, 0)) if each.log else Held(0, 0), now) for each in asked]


def lag_of(last_bucket: datetime, interval_s: int, now: datetime) -> timedelta:
    """From the end of the last bucket to now, never negative."""
    return max(timedelta(0), now - last_bucket - timedelta(seconds=interval_s))


def _stats(queue: Written, held: Held, now: datetime) -> queuecatalogueservicepb.QueueStats:
    message = queuecatalogueservicepb.QueueStats(
        compute_key=queue.compute_key,
        depth=held.depth,
        last_queue_sequence=held.last_sequence,
    )
    if queue.last_bucket is not None:
        message.last_bucket.FromDatetime(queue.last_bucket)
        message.lag.FromTimedelta(lag_of(queue.last_bucket, queue.interval_s, now))
    return message


def _written(row: sa.Row[Any]) -> Written:
    log = records.queue_of(row.compute_key, row.queue_class, row.world_id, row.execution_domain)
    return Written(
        row.compute_key,
        row.world_id,
        log if row.queue_class in QueueClass.__members__ else None,
        row.interval_s,
        None if row.last_bucket_us is None else instant(row.last_bucket_us),
    )
