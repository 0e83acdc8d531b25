"""Reading from a position: in order across restarts, and never silently past what the stream dropped."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from nats.js.api import StreamState

from controlbus.bus import Bus, connected
from controlbus.events.control_event import decode
from controlbus.jetstream.ordered_reader import Start, TooOld, check_kept, read
from controlbus.jetstream.subjects import CONTROL
from tests.controlbus.states import publish
from tests.support.nats import NatsServer

ALL = [f"{CONTROL}.>"]


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with connected(nats_server.url, service="t") as ready:
        yield ready


async def take(bus: Bus, start: Start, count: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    async with asyncio.timeout(15), aclosing(read(bus.link, ALL, start)) as messages:
        async for sequence, message in messages:
            found.append((sequence, decode(message.data).revision))
            if len(found) == count:
                break
    return found


async def test_a_restart_in_the_middle_neither_skips_nor_doubles(bus: Bus, nats_server: NatsServer) -> None:
    total = 700  # more than two batches
    for revision in range(1, total + 1):
        await publish(bus, "k", revision)
    found: list[int] = []
    async with asyncio.timeout(30), aclosing(read(bus.link, ALL, Start.ALL)) as messages:
        async for sequence, _ in messages:
            found.append(sequence)
            if len(found) in (1, 300):
                nats_server.kill()
                nats_server.start()
            if len(found) == total:
                break
    assert found == list(range(1, total + 1))


async def test_a_delivery_that_got_lost_is_read_again(bus: Bus) -> None:
    await publish(bus, "k", 1)
    async with asyncio.timeout(15), aclosing(read(bus.link, ALL, Start.ALL)) as messages:
        assert (await anext(messages))[0] == 1
        await steal_one(bus)
        found = [(await anext(messages))[0] for _ in range(3)]
    assert found == [2, 3, 4]


async def steal_one(bus: Bus) -> None:
    """Take the only reader's next delivery away, then let two more come."""
    (consumer,) = await bus.link.js.consumers_info("CONTROL")
    nc = bus.link.nc
    inbox = nc.new_inbox()
    thief = await nc.subscribe(inbox)
    stolen = asyncio.create_task(thief.next_msg(timeout=10))
    revision = 2
    while not stolen.done():  # whose turn it is among the waiting requests is the broker's choice
        await nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.CONTROL.{consumer.name}", b'{"batch": 1}', reply=inbox)
        await publish(bus, "k", revision)
        revision += 1
        await asyncio.wait([stolen], timeout=0.1)
    assert (await stolen).data
    for _ in range(2):
        await publish(bus, "k", revision)
        revision += 1


async def test_a_position_below_the_floor_is_too_old_and_all_means_what_is_kept(bus: Bus) -> None:
    for revision in range(1, 6):
        await publish(bus, "k", revision)
    await bus.link.js.purge_stream("CONTROL", seq=4)
    with pytest.raises(TooOld, match="keeps 4 to 5"):
        await take(bus, Start(after=2), 1)
    assert await take(bus, Start(after=3), 2) == [(4, 4), (5, 5)]
    assert await take(bus, Start.ALL, 2) == [(4, 4), (5, 5)]


async def test_a_position_the_stream_never_had_is_too_old(bus: Bus) -> None:
    await publish(bus, "k", 1)
    with pytest.raises(TooOld):
        await take(bus, Start(after=2), 1)


async def test_a_stream_made_anew_is_too_old_even_when_it_has_grown_past_the_position(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, "k", 1)
    async with asyncio.timeout(15), aclosing(read(bus.link, ALL, Start.ALL)) as messages:
        assert (await anext(messages))[0] == 1
        nats_server.kill()
        shutil.rmtree(nats_server.folder / "store")
        nats_server.start()
        for revision in range(2, 7):
            await publish(bus, "k", revision)
        with pytest.raises(TooOld):
            await anext(messages)


async def test_start_at_a_time(bus: Bus) -> None:
    await publish(bus, "k", 1)
    later = datetime.now(UTC)
    await publish(bus, "k", 2)
    assert await take(bus, Start(time=later), 1) == [(2, 2)]


@pytest.mark.parametrize(
    ("position", "first", "last", "kept"),
    [
        (0, 1, 0, True),
        (0, 1, 5, True),
        (5, 1, 5, True),
        (6, 1, 5, False),
        (3, 4, 9, True),
        (2, 4, 9, False),
        (9, 10, 9, True),
    ],
)
def test_what_counts_as_kept(position: int, first: int, last: int, kept: bool) -> None:
    state = StreamState(messages=0, bytes=0, first_seq=first, last_seq=last, consumer_count=0)
    if kept:
        check_kept(position, state)
    else:
        with pytest.raises(TooOld):
            check_kept(position, state)
