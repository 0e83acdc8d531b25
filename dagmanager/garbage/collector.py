"""Rounds of garbage collection: judge, archive, drop, purge, in this order, so that nothing is lost on the way.

One round at a time over all processes of the store. What cannot be dropped is kept, says why, and is left alone for
an hour; a broker that is away ends the round before anything was dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.records.data_queue import DataQueue
from dagmanager.artifacts.files import Miscounted, Unverified
from dagmanager.garbage import retired_plans, store
from dagmanager.garbage.domain import Candidate, Kept, Round, batch_size, judge
from dagmanager.garbage.store import Condemned
from dagmanager.metrics import GraphMetrics
from dagmanager.queues import recompute, records
from dagmanager.queues.events import Cause
from dagmanager.queues.losses import RecordLosses
from dagmanager.queues.records import Foreign, Incomplete, queue_of
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, Unavailable
from qmtl.sql.database import Database

log = structlog.stdlib.get_logger("qmtl.dagmanager.garbage")

LOCK = "garbage"
_RETRIED = (Kept.FOREIGN_RECORDS, Kept.ARCHIVE_INCOMPLETE, Kept.ARCHIVE_TOO_LARGE, Kept.ARCHIVE_FAILED)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one round does, and where its files lie."""

    root: str
    batch: int
    archive_bytes_max: int
    storage_bytes_max: int
    """What the broker may use; 0: what it states itself."""


class Collector:
    """Collects from one store and one broker."""

    def __init__(self, db: Database, bus: Bus, clock: Clock, limits: Limits, metrics: GraphMetrics) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._losses = RecordLosses(db, bus, clock)
        self._here = asyncio.Lock()

    async def run(self, interval_s: float) -> None:
        """For ever: a round every `interval_s`."""
        while True:
            await self._clock.sleep(interval_s)
            cause = Cause(self._clock.now())
            await self._db.write(lambda conn, cause=cause: recompute.publish_due(conn, cause))  # type: ignore[misc]  # default binds the loop's value
            try:
                await self.collect((), cause, tried_before=False)
                await self.retire_plans(cause)
            except Unavailable as error:
                self._metrics.garbage.labels("round_put_off").inc()
                log.warning("garbage_not_collected", reason=error.reason, error=error.message)

    async def look(self, names: Collection[str], cause: Cause, *, tried_before: bool = True) -> Round:
        """What a round over these queues, or over all, would find; changes nothing."""

        def read(conn: Connection) -> tuple[int, list[Candidate]]:
            if names:
                found = store.named(conn, names, cause.now)
                return len(found), found
            return store.released(conn), store.due(conn, cause.now, tried_before=tried_before)

        observed, found = await self._db.read(read)
        seen = Round(cause.now, observed)
        seen.skipped = dict.fromkeys(sorted(set(names) - {each.compute_key for each in found}), Kept.QUEUE_UNKNOWN)
        for each in found:
            kept = judge(each, cause.now)
            if kept is None:
                seen.candidates.append(each)
            else:
                seen.skipped[each.compute_key] = kept
        return seen

    async def collect(self, names: Collection[str], cause: Cause, *, tried_before: bool = True) -> Round:
        """One round over these queues, or over all. Raises Unavailable: nothing was dropped."""
        async with self._alone():
            used = await records.storage_used(self._bus, self._limits.storage_bytes_max)
            await self._losses.look()  # sequences that are given out anew must not be purged by those of before
            await self._purge()
            seen = await self.look(names, cause, tried_before=tried_before)
            batch = batch_size(self._limits.batch, used)
            condemned = await self._condemn(seen, seen.candidates[:batch])
            seen.skipped.update({each.compute_key: Kept.BATCH_FULL for each in seen.candidates[batch:]})
            await self._drop(seen, condemned, cause)
            await self._purge_or_leave()
        self._count(seen)
        return seen

    async def retire_plans(self, cause: Cause) -> int:
        """Archive sentinels with their plans, past their time; returns how many. What cannot be written stays."""
        gone = 0
        async with self._alone():
            found = await self._db.read(lambda conn: retired_plans.due(conn, cause.now, self._limits.batch))
            for sentinel, body in found:
                try:
                    artifact = await asyncio.to_thread(retired_plans.write, self._limits.root, sentinel, body)
                except (OSError, ValueError, ImportError, Unverified) as error:
                    log.error("plan_not_archived", sentinel_id=sentinel.sentinel_id, error=repr(error))
                    continue
                gone += await self._db.write(
                    partial(retired_plans.forget, sentinel=sentinel, artifact=artifact, cause=cause)
                )
        self._metrics.garbage.labels("plan_archived").inc(gone)
        return gone

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._here:
            held = await self._db.try_lock(LOCK)
            if held is None:
                raise Unavailable("E_GARBAGE_BUSY", "another process is collecting garbage", retry_after_s=5.0)
            try:
                yield
            finally:
                await asyncio.to_thread(held.release)

    async def _condemn(self, seen: Round, queues: Sequence[Candidate]) -> list[Condemned]:
        """Look at each queue's records, and archive what its class asks for."""
        condemned = []
        for queue in queues:
            try:
                condemned.append(await self._look_into(queue))
            except (Foreign, Incomplete, Miscounted, Unverified, Exhausted) as error:
                seen.skipped[queue.compute_key] = _KEPT[type(error)]
                log.error("queue_not_collected", compute_key=queue.compute_key, error=str(error))
            except (OSError, ValueError, ImportError) as error:
                seen.skipped[queue.compute_key] = Kept.ARCHIVE_FAILED
                log.error("queue_not_archived", compute_key=queue.compute_key, error=repr(error))
        return condemned

    async def _look_into(self, queue: Candidate) -> Condemned:
        data, counted = log_of(queue), queue.counters
        last = await records.last_sequence(self._bus, data)
        if not queue.archived_first or (not last and not counted.rows):
            return Condemned(queue, last)
        if not last:
            raise Incomplete(f"{data.subject} holds nothing, the catalogue counted {counted.rows} rows")
        found = await records.read_all(self._bus, data, last, self._limits.archive_bytes_max)
        from dagmanager.garbage import archive  # 50 MB of Arrow, which few rounds need

        path = archive.archive_path(self._limits.root, queue)
        return Condemned(queue, last, await asyncio.to_thread(archive.write_queue, path, found, counted))

    async def _drop(self, seen: Round, condemned: Sequence[Condemned], cause: Cause) -> None:
        changed = await self._db.write(lambda conn: store.drop(conn, condemned, cause)) if condemned else {}
        seen.skipped.update(changed)
        seen.processed = len(condemned) - len(changed)
        seen.archives = [
            (each.queue.compute_key, each.archive)
            for each in condemned
            if each.archive is not None and each.queue.compute_key not in changed
        ]
        late = [key for key, kept in seen.skipped.items() if kept in _RETRIED]
        if late:
            await self._db.write(lambda conn: store.put_off(conn, late, cause.now))

    async def _purge(self) -> None:
        """Remove what dropped queues left at the broker. Raises Unavailable: the rest waits."""
        for each in await self._db.read(store.pending_purges):
            data = records.queue_of(each.compute_key, each.queue_class, each.world_id, each.execution_domain)
            await records.purge(self._bus, data, each.last_sequence)
            await self._db.write(partial(store.forget_purges, numbers=[each.purge_no]))

    async def _purge_or_leave(self) -> None:
        try:
            await self._purge()
        except Unavailable as error:
            log.warning("records_not_purged_yet", error=error.message)

    def _count(self, seen: Round) -> None:
        self._metrics.garbage.labels("dropped").inc(seen.processed)
        for kept in seen.skipped.values():
            self._metrics.garbage.labels(kept.value.lower()).inc()


_KEPT = {
    Foreign: Kept.FOREIGN_RECORDS,
    Incomplete: Kept.ARCHIVE_INCOMPLETE,
    Miscounted: Kept.ARCHIVE_INCOMPLETE,
    Unverified: Kept.ARCHIVE_FAILED,
    Exhausted: Kept.ARCHIVE_TOO_LARGE,
}


def log_of(queue: Candidate) -> DataQueue:
    return queue_of(queue.compute_key, queue.queue_class, queue.world_id, queue.execution_domain)
