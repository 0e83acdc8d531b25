"""The relay publishes outbox rows: in order per key, pipelined across keys, until the broker has them all.

    relay = Relay(db, OUTBOX, bus, "worldservice", clock)
    runtime.background("outbox-relay", relay.run)   # ends only when cancelled; after a bug it may be run again

One relay per store leads (db.try_lock); the others stand by and take over when it dies. A row is published under its
own message id until the broker acknowledges it, then marked; a crash in between publishes it again, which the broker
drops within two minutes and consumers drop by revision after that. Commits wake the leader: those of its own process
by a signal, those of others by a nudge over the bus. Broker down: rows wait, `status().degraded`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from controlbus.bus import Bus
from controlbus.outbox.outbox import SIGNAL, Backlog, Outbox, Row
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, Exhausted, Unavailable
from qmtl.sql.database import Database
from qmtl.sql.locks import Held

log = structlog.stdlib.get_logger("qmtl.controlbus.outbox")
T = TypeVar("T")

WINDOW = 512  # rows in memory, and the most that are in flight at once
POLL_S = 1.0  # should a nudge be lost
STANDBY_S = 1.0
REPORT_S = 2.0
ALIVE_S = 1.0
MARK_S = 0.1  # marks are collected for as long: each is a commit that the service's own writes would wait for
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0
KEEP_SENT_S = 3600.0
DEGRADED_AGE_S = 10.0


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """`leading`: this process publishes. `in_hand`: rows in memory. `degraded`: rows have waited for ten seconds."""

    leading: bool
    depth: int
    oldest_age_s: float
    blocked_keys: int
    in_hand: int

    @property
    def degraded(self) -> bool:
        return self.oldest_age_s > DEGRADED_AGE_S


class Window:
    """Pure: the rows in hand, per key in order and one in flight."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Row]] = {}
        self._ids: set[int] = set()

    def __len__(self) -> int:
        """Rows taken and not yet marked."""
        return len(self._ids)

    def offer(self, rows: Iterable[Row]) -> list[Row]:
        """Take rows not yet in hand; returns those to be published now, at most one per key."""
        heads = []
        for row in rows:
            if row.id in self._ids:
                continue
            self._ids.add(row.id)
            line = self._lines.setdefault(row.key, deque())
            line.append(row)
            if len(line) == 1:
                heads.append(row)
        return heads

    def published(self, row: Row) -> Row | None:
        """The head of a key is stored; returns the next of that key. The row stays known until `marked`."""
        line = self._lines[row.key]
        line.popleft()
        if line:
            return line[0]
        del self._lines[row.key]
        return None

    def marked(self, ids: Iterable[int]) -> None:
        """The store knows these were sent, so they will not be offered again."""
        self._ids.difference_update(ids)


class Relay:
    """See the module.

    `gather_s`: how long it waits for more after a commit. Where events are many and nobody waits for one, a few
    milliseconds spare a read for each commit.
    """

    def __init__(
        self, db: Database, outbox: Outbox, bus: Bus, service: str, clock: Clock, *, gather_s: float = 0.0
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._bus = bus
        self._service = service
        self._clock = clock
        self._gather_s = gather_s
        self._awake = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent_ids: list[int] = []
        self._blocked: set[str] = set()
        self._leading = False
        self._window = Window()
        self._more = False
        self._asked = clock.monotonic()
        self._backlog = Backlog(0, 0)

    def wake(self) -> None:
        """Look for unsent rows now."""
        self._awake.set()

    def status(self) -> RelayStatus:
        oldest_ns = self._backlog.oldest_ns
        age_s = max(0.0, time.time() - oldest_ns / 1e9) if oldest_ns else 0.0
        return RelayStatus(self._leading, self._backlog.depth, age_s, len(self._blocked), len(self._window))

    async def run(self) -> None:
        """Stand by, lead, stand by again, until cancelled."""
        ends = (self._db.on_signal(SIGNAL, self.wake), self._bus.on_nudge(self._nudged))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._report())
                while True:
                    held = await self._patiently(partial(self._db.try_lock, f"relay-{self._service}"))
                    if held is None:
                        await self._stand_by()
                        continue
                    try:
                        await self._lead(held)
                    finally:
                        self._leading = False
                        await asyncio.to_thread(held.release)
        finally:
            for end in ends:
                end()

    def _nudged(self) -> None:
        """Another process committed: of those that hear it the leader looks."""
        if self._leading:
            self.wake()

    async def _stand_by(self) -> None:
        """For a while tell the leader of what this process commits."""
        until = self._clock.monotonic() + STANDBY_S
        while (left_s := until - self._clock.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._awake.wait()
                    self._awake.clear()
                    await self._bus.nudge()

    async def _lead(self, held: Held) -> None:
        log.info("relay_leads", service=self._service)
        self._leading = True
        self._sent_ids.clear()
        self._blocked.clear()
        window = self._window = Window()
        async with asyncio.TaskGroup() as tasks:
            marker = tasks.create_task(self._mark(window))
            keys: set[asyncio.Task[None]] = set()
            while await self._still(held):
                self._awake.clear()
                unsent = partial(self._outbox.unsent, limit=WINDOW, without=frozenset(self._blocked))
                rows = await self._patiently(partial(self._db.read, unsent))
                self._more = len(rows) == WINDOW
                for head in window.offer(rows):
                    task = tasks.create_task(self._drain(head, window))
                    keys.add(task)
                    task.add_done_callback(keys.discard)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._awake.wait()
                        await self._clock.sleep(self._gather_s)
            for task in (marker, *keys):
                task.cancel()

    async def _drain(self, row: Row | None, window: Window) -> None:
        """Publish one key's rows in order."""
        while row is not None:
            await self._publish(row)
            self._sent_ids.append(row.id)
            self._sent.set()
            row = window.published(row)

    async def _publish(self, row: Row) -> None:
        """Until the broker has it. A key the broker refuses while it is up is left out of further reads."""
        delay_s = RETRY_FIRST_S
        while True:
            await self._bus.link.wait_up()
            await self._bus.wait_ready()
            try:
                await self._bus.publish(row.subject, row.body, msg_id=row.msg_id, headers=row.headers)
            except (Unavailable, Conflict) as error:
                if self._bus.link.up:
                    self._blocked.add(row.key)
                    log.warning("publish_refused", subject=row.subject, error=str(error))
                    await self._clock.sleep(delay_s)
                    delay_s = min(2 * delay_s, RETRY_MAX_S)
            else:
                self._blocked.discard(row.key)
                return

    async def _mark(self, window: Window) -> None:
        """Record what was sent, many rows in one write, and now and then delete old rows."""
        prune_at = self._clock.monotonic()
        while True:
            await self._sent.wait()
            await self._clock.sleep(MARK_S)
            self._sent.clear()
            ids, self._sent_ids = self._sent_ids[:], []
            now_ns = time.time_ns()
            mark = partial(self._outbox.mark_sent, ids=ids, now_ns=now_ns)
            await self._patiently(partial(self._db.write, mark))
            window.marked(ids)
            if self._more:
                self._awake.set()
            if self._clock.monotonic() >= prune_at:
                prune = partial(self._outbox.prune, before_ns=now_ns - int(KEEP_SENT_S * 1e9))
                pruned = await self._patiently(partial(self._db.write, prune))
                prune_at = self._clock.monotonic() + (1.0 if pruned else 60.0)

    async def _still(self, held: Held) -> bool:
        """Whether the lock is still ours; asked of the database at most once a second."""
        if self._clock.monotonic() - self._asked < ALIVE_S:
            return True
        self._asked = self._clock.monotonic()
        return await asyncio.to_thread(held.alive)

    async def _report(self) -> None:
        while True:
            self._backlog = await self._patiently(partial(self._db.read, self._outbox.backlog))
            status = self.status()
            self._bus.link.metrics.outbox_depth.set(status.depth)
            self._bus.link.metrics.outbox_age_s.set(status.oldest_age_s)
            await self._clock.sleep(REPORT_S)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """The store may be busy or away for a while; nothing here is allowed to give up for that."""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                return await call()
            except (Unavailable, Exhausted) as error:
                if error.reason == "E_DATABASE_CLOSED":
                    raise
                log.warning("store_not_available", service=self._service, error=str(error))
            await self._clock.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MAX_S)
