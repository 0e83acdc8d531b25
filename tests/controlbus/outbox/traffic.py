"""Traffic of a whole service under trouble: a process that commits, publishes and gets killed, and three who listen.

The process kills itself right after a commit, before its relay can have published it, and is started again. The
listeners are a reader of the stream, a durable consumer and a follower; what the store says is the truth.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

import sqlalchemy as sa

from controlbus.bus import Bus
from controlbus.events.control_event import decode
from controlbus.events.revisions import Current
from controlbus.jetstream.ordered_reader import Start, read
from controlbus.jetstream.subjects import control_filter
from controlbus.outbox.relay import Relay
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.sql.database import Database
from tests.controlbus.states import OUTBOX
from tests.support.processes import python_env
from tests.support.waiting import eventually

KIND = "policy_updated"
KEYS = tuple(f"w{number}" for number in range(6))

SERVICE = """
import asyncio, os, random, signal, sys
from functools import partial
from controlbus.bus import Bus
from qmtl.sql.database import Database
from controlbus.outbox.relay import Relay
from qmtl.core.clock import SystemClock
from tests.controlbus.states import OUTBOX, policy

async def main(url, nats_url, replicas, seed, *keys):
    db = Database(url)
    bus = await Bus.connect(nats_url, service="t", replicas=int(replicas))
    relay = asyncio.create_task(Relay(db, OUTBOX, bus, "t", SystemClock()).run())
    lives = random.Random(int(seed)).randint(20, 120)
    while not relay.done():
        await asyncio.gather(*(db.write(partial(OUTBOX.append, draft=policy(key))) for key in keys))
        lives -= 1
        if not lives:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0.02)

asyncio.run(main(*sys.argv[1:]))
"""


class Traffic:
    """The service over all its lives, and what was heard of it."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self.deaths = 0
        self.stored: dict[str, list[int]] = defaultdict(list)
        self.applied: dict[str, list[int]] = defaultdict(list)
        self.followed: dict[str, list[int]] = defaultdict(list)

    async def committed(self) -> dict[str, int]:
        """By key: the last revision the store knows."""
        found = await self._db.read(lambda conn: list(conn.execute(sa.select(OUTBOX.keys))))
        return {row.key.partition("/")[2]: row.revision for row in found}

    async def serve(self, args: Sequence[str], seed: int) -> None:
        """Run the service, again whenever it was killed, until cancelled."""
        for life in range(1000):
            argv = [sys.executable, "-c", SERVICE, *args[:3], str(seed + life), *KEYS]
            process = await asyncio.create_subprocess_exec(*argv, env=python_env())
            try:
                assert await process.wait() == -signal.SIGKILL, "the service ended by itself"
                self.deaths += 1
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def read(self) -> None:
        async with aclosing(read(self._bus.link, [control_filter(KIND)], Start.ALL)) as messages:
            async for _, message in messages:
                event = decode(message.data)
                self.stored[event.key].append(event.revision)

    async def consume(self) -> None:
        async with self._bus.subscribe([KIND], durable="t-consumer", start=Start.ALL) as deliveries:
            async for delivery in deliveries:
                self.applied[delivery.event.key].append(delivery.event.revision)
                await delivery.ack()

    async def follow(self) -> None:
        async with self._bus.follow([KIND], self._snapshot) as states:
            async for state in states:
                self.followed[state.key].append(state.revision)

    async def _snapshot(self, kind: str, key: str | None) -> Sequence[Current]:
        return [
            Current(kind, each, revision, controlpb.PolicyUpdated(world_id=each))
            for each, revision in (await self.committed()).items()
            if key in (None, each)
        ]

    async def more(self, count: int) -> None:
        """Wait until every key got `count` revisions more."""
        before = await self.committed()

        async def grown() -> bool:
            now = await self.committed()
            return all(now.get(key, 0) >= before.get(key, 0) + count for key in KEYS)

        await eventually(grown, timeout_s=60)

    async def settle(self) -> None:
        """The service is gone: publish what it left, then everybody must know all of it, once and in order."""
        relay = asyncio.create_task(Relay(self._db, OUTBOX, self._bus, "t", SystemClock()).run())
        truth = await self.committed()

        def last(heard: dict[str, list[int]]) -> dict[str, int]:
            return {key: revisions[-1] for key, revisions in heard.items()}

        await eventually(lambda: last(self.stored) == last(self.applied) == last(self.followed) == truth, timeout_s=90)
        assert self.stored == {key: list(range(1, revision + 1)) for key, revision in truth.items()}
        for heard in (self.applied, self.followed):
            for revisions in heard.values():
                assert revisions == sorted(set(revisions)), "applied twice, or went back"
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)


@asynccontextmanager
async def flowing(db: Database, database_url: str, nats_url: str, replicas: int = 1) -> AsyncIterator[Traffic]:
    """Traffic that flows inside the block; after it everything committed must have arrived."""
    bus = await Bus.connect(nats_url, service="listener", replicas=replicas)
    traffic = Traffic(db, bus)
    listening = [asyncio.create_task(each) for each in (traffic.read(), traffic.consume(), traffic.follow())]
    serving = asyncio.create_task(traffic.serve([database_url, nats_url, str(replicas)], seed=1))
    try:
        yield traffic
        assert not any(task.done() for task in (serving, *listening))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await traffic.settle()
    finally:
        for task in (serving, *listening):
            task.cancel()
        await asyncio.gather(serving, *listening, return_exceptions=True)
        await bus.close()
