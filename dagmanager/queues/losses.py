"""Records that the broker lost: its store was removed, or put back from an older copy.

Each stream of records is compared with what was seen of it before: when it was made, and how far it had come. After a
difference each of its queues is compared with its own last record, and in a stream that was made anew with its first:
who goes on writing there leaves a gap. What is missing is named (log, event, the queue's
row), and the counters go back to what is there: who next needs the queue goes on from that and computes the rest again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
import structlog
from nats.js.api import StreamInfo
from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.jetstream.ordered_reader import control_info
from controlbus.records.data_queue import DataQueue
from dagmanager.queues import events, records
from dagmanager.queues.domain.losses import Extent, Loss, loss_before, loss_behind
from dagmanager.queues.domain.queues import QueueState
from dagmanager.queues.events import Cause
from dagmanager.tables import buffering, nodes, purges, queues, record_streams
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.core.errors import Unavailable
from qmtl.core.identity.nodes import QueueClass
from qmtl.sql.database import Database
from qmtl.sql.instants import instant, micros

LOOK_EVERY_S = 5.0
PAGE = 500
_STATES = (QueueState.ACTIVE.name, QueueState.RELEASED.name)

log = structlog.stdlib.get_logger("qmtl.dagmanager.queues")


@dataclass(frozen=True, slots=True)
class StreamMark:
    """A stream as it was seen: when the broker made it, microseconds since the epoch, and its last sequence."""

    made_us: int
    last_sequence: int

    def follows(self, before: StreamMark) -> bool:
        """Whether it is the same stream, with all that it had."""
        return self.made_us == before.made_us and self.last_sequence >= before.last_sequence


@dataclass(frozen=True, slots=True)
class CountedQueue:
    """A queue with records by the catalogue."""

    log: DataQueue
    extent: Extent


class RecordLosses:
    """Compares the catalogue with the broker."""

    def __init__(self, db: Database, bus: Bus, clock: Clock) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._remade: set[QueueClass] = set()
        self._again: set[QueueClass] = set()  # a report of what the lost store acknowledged may come after the look

    async def run(self) -> None:
        """Look for ever. A broker that is away says so elsewhere: nothing is judged meanwhile."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.info("records_not_compared", reason=error.reason, error=error.message)
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """Compare every stream; how many queues were found to have lost records. Raises Unavailable."""
        await self._bus.wait_ready(LOOK_EVERY_S)
        return sum([await self._look_at(each) for each in QueueClass])

    async def _look_at(self, queue_class: QueueClass) -> int:
        stream = f"DATA_{queue_class.name}"
        before = await self._db.read(partial(_seen, stream=stream))  # first: another look may keep a later mark
        info = await control_info(self._bus.link, stream)
        now = _mark(info)
        lost = 0
        if before is not None and not now.follows(before):
            log.error("record_stream_lost", stream=stream, **_told("before", before), **_told("now", now))
            await self._db.write(partial(_forget_purges, queue_class=queue_class, before=before, now=now))
            if before.made_us != now.made_us:
                self._remade.add(queue_class)
            lost = await self._compare(queue_class, info)
            self._again.add(queue_class)
        elif queue_class in self._again:
            lost = await self._compare(queue_class, info)
            self._again.discard(queue_class)
            self._remade.discard(queue_class)
        if before != now:
            await self._db.write(partial(_keep, stream=stream, mark=now))
        return lost

    async def _compare(self, queue_class: QueueClass, info: StreamInfo) -> int:
        """Every queue of a class with its end at the broker, page by page."""
        lost, after = 0, ""
        while page := await self._db.read(partial(_counted, queue_class=queue_class, after=after)):
            after = page[-1].log.compute_key
            logs = [each.log for each in page]
            ends = await records.last_buckets(self._bus, logs) if info.state.messages else {}
            found = [
                (each, loss_behind(each.extent, ends.get(each.log)))
                for each in page
                if ends.get(each.log, -1) < each.extent.last_us
            ]
            if queue_class in self._remade:
                whole = [each for each in page if ends.get(each.log, -1) >= each.extent.last_us]
                begins = await records.first_buckets(self._bus, [each.log for each in whole])
                late = [each for each in whole if begins.get(each.log, each.extent.first_us) > each.extent.first_us]
                found += [(each, loss_before(each.extent, begins[each.log])) for each in late]
            if found:
                lost += await self._db.write(partial(_write_off, found=found, cause=Cause(self._clock.now())))
        return lost


def _mark(info: StreamInfo) -> StreamMark:
    assert info.created is not None, "every stream says when it was made"
    return StreamMark(micros(info.created), info.state.last_seq)


def _told(when: str, mark: StreamMark) -> dict[str, str | int]:
    return {f"made_{when}": str(instant(mark.made_us)), f"last_sequence_{when}": mark.last_sequence}


def _seen(conn: Connection, stream: str) -> StreamMark | None:
    row = conn.execute(sa.select(record_streams).where(record_streams.c.stream == stream)).one_or_none()
    return None if row is None else StreamMark(row.made_us, row.last_sequence)


def _keep(conn: Connection, stream: str, mark: StreamMark) -> None:
    conn.execute(_KEEP, {"stream": stream, "made_us": mark.made_us, "last_sequence": mark.last_sequence})


def _forget_purges(conn: Connection, queue_class: QueueClass, before: StreamMark, now: StreamMark) -> None:
    """Sequences are given out anew: a purge up to one of before must not reach what is written from here on."""
    mine = purges.c.queue_class == queue_class.name
    if now.made_us != before.made_us:
        conn.execute(sa.delete(purges).where(mine))
    else:
        ahead = sa.and_(mine, purges.c.last_sequence > now.last_sequence)
        conn.execute(sa.update(purges).where(ahead).values(last_sequence=now.last_sequence))


def _counted(conn: Connection, queue_class: QueueClass, after: str) -> list[CountedQueue]:
    """The next queues of a class that have records by the catalogue, in the order of their keys."""
    rows = conn.execute(
        sa.select(queues, nodes.c.queue_class, nodes.c.interval_s)
        .join(nodes, nodes.c.node_id == queues.c.node_id)
        .where(
            queues.c.compute_key > after,
            nodes.c.queue_class == queue_class.name,
            queues.c.state.in_(_STATES),
            queues.c.last_bucket_us.is_not(None),
        )
        .order_by(queues.c.compute_key)
        .limit(PAGE)
    )
    return [
        CountedQueue(
            records.queue_of(row.compute_key, row.queue_class, row.world_id, row.execution_domain),
            Extent(row.first_bucket_us, row.last_bucket_us, row.rows, row.interval_s * 1_000_000),
        )
        for row in rows
    ]


def _write_off(conn: Connection, found: Sequence[tuple[CountedQueue, Loss]], cause: Cause) -> int:
    """Count what is left, name what is not; returns how many queues. One that changed meanwhile is left alone."""
    return sum(_write_off_one(conn, queue, loss, cause) for queue, loss in found)


def _write_off_one(conn: Connection, queue: CountedQueue, loss: Loss, cause: Cause) -> bool:
    key, extent, kept = queue.log.compute_key, queue.extent, loss.kept
    same = (
        queues.c.compute_key == key,
        queues.c.state.in_(_STATES),
        queues.c.last_bucket_us == extent.last_us,
        queues.c.rows == extent.rows,
    )
    values = {
        "first_bucket_us": None if kept is None else kept.first_us,
        "last_bucket_us": None if kept is None else kept.last_us,
        "rows": 0 if kept is None else kept.rows,
        "lost_first_us": _least(queues.c.lost_first_us, loss.first_us),
        "lost_last_us": _most(queues.c.lost_last_us, loss.last_us),
    }
    if conn.execute(sa.update(queues).where(*same).values(values)).rowcount != 1:
        return False
    conn.execute(
        sa.update(buffering)
        .where(buffering.c.compute_key == key)
        .values(after_us=None if kept is None else kept.last_us)
    )
    span = f"{instant(loss.first_us)} to {instant(loss.last_us)}"
    log.error("records_lost", compute_key=key, subject=queue.log.subject, buckets=span, rows_before=extent.rows)
    step = controlpb.QUEUE_LIFECYCLE_STEP_RECORDS_LOST
    events.publish_step(conn, key, step, f"the broker lost the records of the buckets {span}", cause)
    return True


def _least(column: sa.Column[int], value: int) -> sa.ColumnElement[int]:
    return sa.case((column < value, column), else_=value)


def _most(column: sa.Column[int], value: int) -> sa.ColumnElement[int]:
    return sa.case((column > value, column), else_=value)


_KEEP = sa.text(
    "INSERT INTO record_streams (stream, made_us, last_sequence) VALUES (:stream, :made_us, :last_sequence) "
    "ON CONFLICT (stream) DO UPDATE SET made_us = excluded.made_us, last_sequence = excluded.last_sequence"
)
