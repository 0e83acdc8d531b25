"""Outbox to broker with real processes: nothing lost, per-key order, published once, whoever is killed."""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial

import pytest

from controlbus.bus import Bus, connected
from controlbus.events.control_event import decode
from controlbus.jetstream.ordered_reader import Start, read
from controlbus.jetstream.subjects import control_filter
from controlbus.outbox.outbox import RawDraft, Row
from controlbus.outbox.relay import POLL_S, Relay, Window
from qmtl.core.clock import SystemClock
from qmtl.sql.database import Database
from tests.controlbus.states import OUTBOX, policy, unique
from tests.support.nats import NatsServer
from tests.support.processes import python_env
from tests.support.waiting import eventually


@asynccontextmanager
async def relaying(db: Database, bus: Bus, service: str = "worldservice") -> AsyncIterator[Relay]:
    relay = Relay(db, OUTBOX, bus, service, SystemClock())
    task = asyncio.create_task(relay.run())
    yield relay
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def published(bus: Bus, worlds: set[str], count: int) -> dict[str, list[int]]:
    """Read CONTROL from its start until `count` events of these worlds; their revisions in stream order."""
    found: dict[str, list[int]] = {world: [] for world in worlds}
    filters = [control_filter("policy_updated", world) for world in worlds]
    async with asyncio.timeout(30), aclosing(read(bus.link, filters, Start.ALL)) as messages:
        async for _, message in messages:
            event = decode(message.data)
            found[event.key].append(event.revision)
            if sum(map(len, found.values())) == count:
                break
    return found


async def drained(db: Database) -> None:
    async def is_drained() -> bool:
        return (await db.read(OUTBOX.backlog)).depth == 0

    await eventually(is_drained)


async def test_commits_are_published_once_in_key_order(db: Database, nats_url: str) -> None:
    worlds = {unique("w") for _ in range(20)}
    async with connected(nats_url, service="t") as bus, relaying(db, bus) as relay:
        await asyncio.gather(*(db.write(partial(OUTBOX.append, draft=policy(w))) for _ in range(10) for w in worlds))
        assert await published(bus, worlds, 200) == {world: list(range(1, 11)) for world in worlds}
        await drained(db)
        await eventually(lambda: relay.status().in_hand == 0)  # else memory grows with every event


async def test_a_commit_wakes_the_relay(sqlite_db: Database, nats_url: str) -> None:
    world = unique("w")
    async with connected(nats_url, service="t") as bus, relaying(sqlite_db, bus) as relay:
        await eventually(lambda: relay.status().leading)
        took = []
        async with bus.subscribe(["policy_updated"], keys=[world]) as deliveries:
            for revision in range(1, 10):
                begin = asyncio.get_running_loop().time()
                await sqlite_db.write(partial(OUTBOX.append, draft=policy(world)))
                delivery = await anext(deliveries)
                took.append(asyncio.get_running_loop().time() - begin)
                assert delivery.event.revision == revision
                await delivery.ack()
        assert statistics.median(took) < POLL_S / 5  # polling alone would take half of it on average


async def test_a_commit_of_another_process_of_the_service_wakes_the_relay(postgres_url: str, nats_url: str) -> None:
    world, leads, stands_by = unique("w"), Database(postgres_url), Database(postgres_url)
    await leads.write(OUTBOX.rows.metadata.create_all)
    service = unique("t")
    async with (
        connected(nats_url, service=service) as bus,
        connected(nats_url, service=service) as other_bus,
        relaying(leads, bus) as relay,
    ):
        await eventually(lambda: relay.status().leading)
        async with relaying(stands_by, other_bus) as other, bus.subscribe(["policy_updated"], keys=[world]) as events:
            took = []
            for revision in range(1, 10):
                begin = asyncio.get_running_loop().time()
                await stands_by.write(partial(OUTBOX.append, draft=policy(world)))
                delivery = await anext(events)
                took.append(asyncio.get_running_loop().time() - begin)
                assert delivery.event.revision == revision
                await delivery.ack()
            assert not other.status().leading
            assert statistics.median(took) < POLL_S / 5
    await leads.close()
    await stands_by.close()


async def test_a_broker_that_is_down_or_killed_loses_and_doubles_nothing(
    sqlite_db: Database, nats_server: NatsServer
) -> None:
    worlds = {"a", "b", "c"}
    nats_server.kill()
    bus = await Bus.connect(nats_server.url, service="t")
    async with relaying(sqlite_db, bus):
        for _ in range(5):
            await asyncio.gather(*(sqlite_db.write(partial(OUTBOX.append, draft=policy(world))) for world in worlds))
        assert (await sqlite_db.read(OUTBOX.backlog)).depth == 15
        assert not bus.status().connected
        nats_server.start()
        for round_ in range(6):
            await asyncio.gather(*(sqlite_db.write(partial(OUTBOX.append, draft=policy(world))) for world in worlds))
            if round_ in (1, 3):
                nats_server.kill()
                nats_server.start()
        assert await published(bus, worlds, 33) == {world: list(range(1, 12)) for world in worlds}
        await drained(sqlite_db)
        assert (await bus.link.js.stream_info("CONTROL")).state.messages == 33
    await bus.close()


CRASHER = """
import asyncio, os, signal, sys
from functools import partial
from controlbus.bus import Bus
from qmtl.sql.database import Database
from controlbus.outbox.relay import Relay
import sqlalchemy
from controlbus.events.control_event import ControlEventDraft
from controlbus.outbox.outbox import outbox_tables
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock

OUTBOX = outbox_tables(sqlalchemy.MetaData())

def policy(world):
    return ControlEventDraft("worldservice", world, controlpb.PolicyUpdated(world_id=world), SystemClock().now())

async def main():
    db = Database(sys.argv[1])
    if sys.argv[3] == "publishing":
        bus = await Bus.connect(sys.argv[2], service="t")
        asyncio.create_task(Relay(db, OUTBOX, bus, "worldservice", SystemClock()).run())
    for _ in range(40):
        await asyncio.gather(*(db.write(partial(OUTBOX.append, draft=policy(world))) for world in sys.argv[4:]))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before publishing", "publishing"])
async def test_a_process_killed_between_commit_and_publish(
    db: Database, database_url: str, nats_url: str, when: str
) -> None:
    worlds = [unique("w") for _ in range(3)]
    args = [sys.executable, "-c", CRASHER, database_url, nats_url, when, *worlds]
    process = await asyncio.create_subprocess_exec(*args, env=python_env())
    assert await process.wait() == -signal.SIGKILL
    async with connected(nats_url, service="t") as bus, relaying(db, bus):
        assert await published(bus, set(worlds), 120) == {world: list(range(1, 41)) for world in worlds}
        await drained(db)
        await db.write(partial(OUTBOX.append, draft=policy(worlds[0])))
        assert (await published(bus, set(worlds), 121))[worlds[0]] == list(range(1, 42))


async def test_of_two_relays_one_leads_and_the_other_takes_over(db: Database, database_url: str, nats_url: str) -> None:
    other_db = Database(database_url)
    worlds = {unique("w") for _ in range(5)}
    async with connected(nats_url, service="t") as bus, connected(nats_url, service="t") as other_bus:
        first = Relay(db, OUTBOX, bus, "worldservice", SystemClock())
        second = Relay(other_db, OUTBOX, other_bus, "worldservice", SystemClock())
        tasks = [asyncio.create_task(first.run()), asyncio.create_task(second.run())]
        for round_ in range(20):
            await asyncio.gather(*(db.write(partial(OUTBOX.append, draft=policy(world))) for world in worlds))
            await eventually(lambda: first.status().leading or second.status().leading)
            assert not (first.status().leading and second.status().leading)
            if round_ == 10:
                tasks[0 if first.status().leading else 1].cancel()
        assert await published(bus, worlds, 100) == {world: list(range(1, 21)) for world in worlds}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await other_db.close()


async def test_a_refused_key_does_not_hold_up_others(sqlite_db: Database, nats_url: str) -> None:
    world = unique("w")
    async with connected(nats_url, service="t") as bus, relaying(sqlite_db, bus) as relay:
        for i in range(600):  # more than the relay's window
            draft = RawDraft("nowhere.x", "k", f"m{i}", b"")
            await sqlite_db.write(partial(OUTBOX.append_raw, drafts=[draft]))
        await eventually(lambda: relay.status().blocked_keys > 0)
        await sqlite_db.write(partial(OUTBOX.append, draft=policy(world)))
        assert await published(bus, {world}, 1) == {world: [1]}
        assert (await sqlite_db.read(OUTBOX.backlog)).depth >= 600


def row(id_: int, key: str) -> Row:
    return Row(id_, key, id_, "s", f"m{id_}", "{}", b"")


def test_the_window_keeps_one_row_of_a_key_in_flight() -> None:
    window = Window()
    rows = [row(1, "a"), row(2, "a"), row(3, "b")]
    assert window.offer(rows) == [rows[0], rows[2]]
    assert window.offer(rows) == []
    assert window.published(rows[0]) == rows[1]
    assert window.offer(rows) == []
    assert window.published(rows[1]) is None
    assert window.offer(rows[:2]) == []
    assert len(window) == 3
    window.marked([1, 2])
    assert len(window) == 1
    assert window.offer([row(4, "a")]) == [row(4, "a")]
