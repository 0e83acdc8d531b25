"""One subscriber that reads nothing, at the gateway of a real mesh: what it costs the others, and the gateway's memory.

The bounds are of kinds, not of this machine: whoever waited for the stuck one would wait until it is cut, and a queue
kept for it would hold all that was published.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from controlbus.bus import Bus
from controlbus.events.control_event import ControlEventDraft, number
from controlbus.jetstream.permissions import seed_path
from controlbus.jetstream.subjects import control_subject
from qmtl.cli.local.supervisor import Mesh
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from tests.mesh.gateway_client import GatewayClient, new_world, open_gateway_client
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

KEY = "big"
RATE_S = 200
WRITE_S = 10.0  # how long the gateway waits for a reader that takes nothing
LATE_S = WRITE_S / 2
MEBI = 2**20
PART = 40 * MEBI  # published without the stuck one, and with it
STUCK_COST_MAX = 24 * MEBI
"""Its due is three windows of 64 KiB and one frame of at most 256 events, here 2 MiB; the rest is the allocator's and
its noise, of which 10 MiB were seen. A queue kept for it would hold the PARTS * PART that was published meanwhile."""
PARTS = 3
EVENT_BYTES = 8_000


@dataclass
class Reader:
    """What one subscriber has seen: the last revision, without a gap, and how late the latest event was."""

    revision: int = 0
    late_s: float = 0.0

    def take(self, events: Iterable[controlpb.ControlEvent]) -> None:
        for event in events:
            assert event.revision == self.revision + 1
            self.revision = event.revision
            self.late_s = max(self.late_s, time.time() - event.time.ToNanoseconds() / 1e9)


@dataclass
class Crowd:
    """Subscribers of one world, who read in the background, and the one who may join them and read nothing."""

    mesh: Mesh
    client: GatewayClient
    world: str
    token: str
    bus: Bus
    readers: list[Reader] = field(default_factory=list)
    reading: list[asyncio.Task[None]] = field(default_factory=list)
    published: int = 0

    async def publish(self, count: int, size: int, rate_s: float = float("inf")) -> None:
        """Further revisions of one key, as the gateway's outbox publishes them."""
        payload = controlpb.StrategyStateChanged(strategy_id=KEY, reason="x" * size, world_ids=[self.world])
        begun = time.perf_counter()
        for sent in range(count):
            await asyncio.sleep(max(0.0, begun + sent / rate_s - time.perf_counter()))
            self.published += 1
            event = number(ControlEventDraft("gateway", KEY, payload, datetime.now(UTC)), self.published)
            subject = control_subject("strategy_state_changed", KEY)
            await self.bus.publish(subject, event.SerializeToString(), msg_id=event.event_id)

    async def all_have_read(self) -> None:
        """Until every reader has seen what was published; raises what a reader failed of."""
        await eventually(lambda: any(task.done() for task in self.reading) or self._at_the_end(), timeout_s=60.0)
        for task in self.reading:
            if task.done():
                task.result()

    async def subscribers(self) -> int:
        """As the gateway counts them."""
        return (await self.client.status.GetStatus(gatewaystatuspb.GetStatusRequest())).event_subscribers

    def resident(self) -> int:
        """The gateway process' memory."""
        pid = next(process.pid for process in self.mesh.running() if process.name == "gateway")
        found: int = psutil.Process(pid).memory_info().rss
        return found

    def _at_the_end(self) -> bool:
        return all(reader.revision == self.published for reader in self.readers)


@asynccontextmanager
async def crowd(home: Path, readers: int, **settings: object) -> AsyncIterator[Crowd]:
    """A mesh and so many readers, each of whom has its snapshot; `settings` are the gateway's."""
    environ = {f"QMTL__GATEWAY__{name.upper()}": str(value) for name, value in settings.items()}
    async with (
        Mesh(replace(laid_plan(home), environ=environ)) as mesh,
        open_gateway_client(mesh.address("gateway"), home) as client,
    ):
        world = await new_world(client)
        request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=[eventpb.TOPIC_STRATEGY])
        token = (await client.events.CreateEventStream(request)).stream.stream_token
        bus = await Bus.connect(mesh.nats_url, service="gateway", credentials=seed_path(home, "gateway"))
        made = Crowd(mesh, client, world, token, bus)
        try:
            await bus.wait_ready(10.0)
            made.readers = [Reader() for _ in range(readers)]
            made.reading = [asyncio.create_task(read(client, token, reader)) for reader in made.readers]
            await eventually(lambda: _count_is(made, readers))
            yield made
        finally:
            for task in made.reading:
                task.cancel()
            await asyncio.gather(*made.reading, return_exceptions=True)
            await bus.close()


async def _count_is(crowd: Crowd, count: int) -> bool:
    return await crowd.subscribers() == count


async def read(client: GatewayClient, token: str, reader: Reader) -> None:
    """Follow a stream for ever."""
    with scoped(
        client.events.SubscribeEvents(eventservicepb.SubscribeEventsRequest(), metadata=bearer(token))
    ) as replies:
        async for reply in replies:
            reader.take(reply.frame.events.events)


@asynccontextmanager
async def stuck(crowd: Crowd) -> AsyncIterator[None]:
    """A subscriber on a connection of its own that reads one frame and then none."""
    async with open_gateway_client(crowd.mesh.address("gateway"), crowd.mesh.home) as client:
        with scoped(
            client.events.SubscribeEvents(eventservicepb.SubscribeEventsRequest(), metadata=bearer(crowd.token))
        ) as call:
            await call.read()
            yield


@pytest.mark.soak
async def test_one_stuck_reader_among_a_hundred_delays_nobody_and_is_cut(tmp_path: Path) -> None:
    async with crowd(tmp_path / "home", 99, subscriber_write_s=WRITE_S) as many, stuck(many):
        await eventually(lambda: _count_is(many, 100))
        await many.publish(2_500, 1_000, RATE_S)
        await many.all_have_read()
        assert max(reader.late_s for reader in many.readers) < LATE_S
        await eventually(lambda: _count_is(many, 99), timeout_s=2 * WRITE_S)


@pytest.mark.soak
async def test_stuck_reader_costs_the_gateway_no_more_than_a_frame_and_its_windows(tmp_path: Path) -> None:
    async with crowd(tmp_path / "home", 1, subscriber_write_s=600, stream_token_ttl_s=3600, feed_max=1_000) as one:

        async def growth() -> int:
            """Of the gateway over some parts, which the reader has read."""
            before = one.resident()
            for _ in range(PARTS):
                await one.publish(PART // EVENT_BYTES, EVENT_BYTES)
                await one.all_have_read()
            return one.resident() - before

        await one.publish(PART // EVENT_BYTES, EVENT_BYTES)  # fills what the gateway keeps for everybody
        await one.all_have_read()
        alone = await growth()
        async with stuck(one):
            beside = await growth()
            assert await one.subscribers() == 2  # still there, and still stuck
        assert beside - alone < STUCK_COST_MAX < PARTS * PART / 4
