"""Open watches on tag queries: while one is open its query's set is published, and its reader told of each change.

A watch whose process died is forgotten once it has not been renewed for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from controlbus.outbox.outbox import SIGNAL
from dagmanager import revisions
from dagmanager.queues import reads, tag_queries
from dagmanager.queues.domain.queues import TagQuery
from dagmanager.queues.events import Cause
from dagmanager.tables import watches
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, Unavailable
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.sql.database import Database
from qmtl.sql.instants import micros
from qmtl.wire.paging import parts_of

SET_MAX = 10_000
POLL_S = 1.0  # commits of other processes on the same store send no signal
RENEW_S = 60.0
FORGOTTEN_AFTER = timedelta(minutes=10)


class QueueWatches:
    """Serves watches from one store until the process stops."""

    def __init__(self, db: Database, clock: Clock, stopping: asyncio.Event) -> None:
        self._db = db
        self._clock = clock
        self._stopping = stopping

    async def sets(
        self, query: TagQuery, cause: Cause
    ) -> AsyncGenerator[queuecatalogueservicepb.WatchQueuesResponse, None]:
        """The set now, then after each change. Raises Unavailable (E_GOING_AWAY) when the process stops, Exhausted."""
        async with self._open(query, cause) as watch_id, self._signals() as changed:
            told, renewed_at = -1, self._clock.monotonic()
            while not self._stopping.is_set():
                changed.clear()
                if told != await self._db.read(lambda conn: tag_queries.set_revision(conn, query)):
                    found, told = await self._db.read(lambda conn: snapshot(conn, query))
                    for part, more in parts_of(found):
                        yield queuecatalogueservicepb.WatchQueuesResponse(
                            queues=part, queue_set_revision=told, more=more
                        )
                if self._clock.monotonic() - renewed_at >= RENEW_S:
                    renewed_at = self._clock.monotonic()
                    await self._db.write(partial(renew_watch, watch_id=watch_id, now=self._clock.now()))
                await self._wait(changed)
        raise Unavailable("E_GOING_AWAY", "dagmanager stops", hint="watch again: the first answer is a snapshot")

    @asynccontextmanager
    async def _open(self, query: TagQuery, cause: Cause) -> AsyncIterator[str]:
        watch_id = uuid4().hex
        await self._db.write(lambda conn: open_watch(conn, query, watch_id, cause))
        try:
            yield watch_id
        finally:
            await self._db.write(lambda conn: close_watch(conn, watch_id))

    @asynccontextmanager
    async def _signals(self) -> AsyncIterator[asyncio.Event]:
        changed = asyncio.Event()
        unsubscribe = self._db.on_signal(SIGNAL, changed.set)
        try:
            yield changed
        finally:
            unsubscribe()

    async def _wait(self, changed: asyncio.Event) -> None:
        """Until something was published here, something may have been published elsewhere, or the process stops."""
        waiting = {asyncio.ensure_future(changed.wait()), asyncio.ensure_future(self._stopping.wait())}
        try:
            await asyncio.wait(waiting, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


def snapshot(conn: Connection, query: TagQuery) -> tuple[list[reads.Queue], int]:
    """The queues that match now, and the revision of the set. Raises Exhausted (E_TOO_MANY_QUEUES)."""
    found = reads.matching_queues(conn, query, SET_MAX + 1)
    if len(found) > SET_MAX:
        raise Exhausted("E_TOO_MANY_QUEUES", f"more than {SET_MAX} queues match", hint="ask with more tags")
    return found, tag_queries.set_revision(conn, query)


def open_watch(conn: Connection, query: TagQuery, watch_id: str, cause: Cause) -> None:
    """Register a watch; a query nobody asked before has its first set published."""
    is_new = bool(tag_queries.unregistered(conn, [query]))
    if is_new:
        revisions.lock_graph(conn, exclusive=True)
    tag_queries.register_query(conn, query)
    values = {"watch_id": watch_id, "key": query.key, "renewed_us": micros(cause.now)}
    conn.execute(sa.insert(watches).values(values))
    if is_new:
        tag_queries.publish_sets(conn, [query], cause)


def renew_watch(conn: Connection, watch_id: str, now: datetime) -> None:
    """Say that a watch is still open."""
    conn.execute(sa.update(watches).where(watches.c.watch_id == watch_id).values(renewed_us=micros(now)))


def close_watch(conn: Connection, watch_id: str) -> None:
    """Forget a watch, and its query when nobody asks it any more."""
    _forget(conn, watches.c.watch_id == watch_id)


def forget_dead_watches(conn: Connection, now: datetime) -> None:
    """Forget watches whose process has not renewed them."""
    _forget(conn, watches.c.renewed_us < micros(now - FORGOTTEN_AFTER))


def _forget(conn: Connection, which: sa.ColumnElement[bool]) -> None:
    keys = set(conn.execute(sa.delete(watches).where(which).returning(watches.c.key)).scalars())
    tag_queries.forget_unasked(conn, keys)
