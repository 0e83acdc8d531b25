"""Event streams of the gateway to 1, 100 and 1,000 subscribers, against bare gRPC and bare JetStream in the same run.

    python -m bench.fanout [--events 2000]

A real mesh of processes. Latency is from the event's own time, just before it is published, to the reader. The floor is
a process that reads a stream of a bare broker and writes what came, gathered as the gateway gathers, to every open
call: no snapshot, no filter, no token, no resumption. Readers run in this process, so their cost is in both numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import grpc
import nats
from grpc import aio

from bench._measuring import Measured, cpu_s, say
from controlbus.bus import Bus
from controlbus.events.control_event import ControlEventDraft, number
from controlbus.jetstream.permissions import seed_path
from controlbus.jetstream.subjects import control_subject
from gateway.events.feed import WRITE_S
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.ports import free_ports
from qmtl.cli.local.supervisor import Mesh
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.rpc.metadata import bearer
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient, open_gateway_client
from tests.support.nats import NatsServer

STREAM, SUBJECT = "BENCH", "bench.events"
FOLLOW = "/bench.Floor/Follow"
WORLD = "bench"
GATHER_S = 0.005
RATES = {1: 500, 100: 500, 1_000: 50}  # events a second; a reader in Python takes some 50,000 a second in all
STAMP = struct.Struct(">q")
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
Publish = Callable[[int], Awaitable[object]]


async def at_rate(count: int, rate_s: float, publish: Publish) -> None:
    """Publish 1..count at a steady rate, whatever an acknowledgement takes."""
    begun, pending = time.perf_counter(), set[asyncio.Task[object]]()
    for index in range(1, count + 1):
        await asyncio.sleep(max(0.0, begun + index / rate_s - time.perf_counter()))
        pending.add(asyncio.ensure_future(publish(index)))
    await asyncio.gather(*pending)


async def through_the_gateway(
    mesh: Mesh, client: GatewayClient, subscribers: int, count: int, rate_s: float
) -> Measured:
    topics = [eventpb.TOPIC_STRATEGY]
    created = await client.events.CreateEventStream(
        eventservicepb.CreateEventStreamRequest(world_id=WORLD, topics=topics)
    )
    latencies, ready, key = list[float](), asyncio.Semaphore(0), f"s-fan-{subscribers}"

    async def follow() -> None:
        call = client.events.SubscribeEvents(
            eventservicepb.SubscribeEventsRequest(), metadata=bearer(created.stream.stream_token)
        )
        try:
            async for reply in call:
                now = time.time()
                if reply.frame.HasField("bookmark"):
                    ready.release()
                for event in reply.frame.events.events:
                    latencies.append(now - event.time.ToNanoseconds() / 1e9)
                    if event.revision == count:
                        return
        finally:
            call.cancel()

    return await followed(subscribers, follow, ready, lambda: published(mesh, key, count, rate_s), latencies)


async def published(mesh: Mesh, key: str, count: int, rate_s: float) -> None:
    payload = controlpb.StrategyStateChanged(strategy_id=key, world_ids=[WORLD])
    bus = await Bus.connect(mesh.plan.nats_url, service="gateway", credentials=seed_path(mesh.home, "gateway"))
    try:
        await bus.wait_ready(10.0)

        async def publish(revision: int) -> int:
            event = number(ControlEventDraft("gateway", key, payload, datetime.now(UTC)), revision)
            subject, body = control_subject("strategy_state_changed", key), event.SerializeToString()
            return await bus.publish(subject, body, msg_id=event.event_id)

        await at_rate(count, rate_s, publish)
    finally:
        await bus.close()


async def bare(port: int, broker: str, subscribers: int, count: int, rate_s: float) -> Measured:
    latencies, ready = list[float](), asyncio.Semaphore(0)
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        open_call: aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(FOLLOW)

        async def follow() -> None:
            call, seen = open_call(b""), 0
            try:
                async for body in call:
                    now = time.time_ns()
                    if not body:
                        ready.release()
                    for (stamp,) in STAMP.iter_unpack(body):
                        latencies.append((now - stamp) / 1e9)
                        seen += 1
                    if seen == count:
                        return
            finally:
                call.cancel()

        async def publish_all() -> None:
            connection = await nats.connect(broker)
            stream = connection.jetstream()
            await at_rate(count, rate_s, lambda _: stream.publish(SUBJECT, STAMP.pack(time.time_ns())))
            await connection.close()

        return await followed(subscribers, follow, ready, publish_all, latencies)


async def followed(
    subscribers: int,
    follow: Callable[[], Awaitable[None]],
    ready: asyncio.Semaphore,
    publish: Callable[[], Awaitable[None]],
    latencies: list[float],
) -> Measured:
    """Publish once every reader stands at the stream's end; done when each has seen all."""
    following = [asyncio.ensure_future(follow()) for _ in range(subscribers)]
    for _ in range(subscribers):
        await ready.acquire()
    begun = time.perf_counter()
    await publish()
    await asyncio.gather(*following)
    return Measured(latencies, time.perf_counter() - begun)


async def serve_floor(port: int, broker: str) -> None:
    """The floor's process: one reader of the broker, one queue per open call."""
    queues: set[asyncio.Queue[bytes]] = set()

    async def follow(_: bytes, __: object) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.add(queue)
        try:
            yield b""
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)

    handlers: dict[str, Handler] = {"Follow": grpc.unary_stream_rpc_method_handler(follow)}
    server = aio.server(handlers=[grpc.method_handlers_generic_handler("bench.Floor", handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    connection = await nats.connect(broker)
    subscription = await connection.jetstream().subscribe(SUBJECT, ordered_consumer=True)
    while True:
        parts = [(await subscription.next_msg(timeout=None)).data]
        until = time.monotonic() + max(GATHER_S, len(queues) * WRITE_S)
        while (left := until - time.monotonic()) > 0:
            try:
                parts.append((await subscription.next_msg(timeout=left)).data)
            except nats.errors.TimeoutError:
                break
        body = b"".join(parts)
        for queue in queues:
            queue.put_nowait(body)


@asynccontextmanager
async def floor_server(folder: Path) -> AsyncIterator[tuple[int, str]]:
    """Port and broker of a running floor."""
    broker, port = NatsServer(folder), free_ports(1)[0]
    broker.start()
    connection = await nats.connect(broker.url)
    await connection.jetstream().add_stream(name=STREAM, subjects=[SUBJECT])
    await connection.close()
    args = (sys.executable, "-m", "bench.fanout", "--floor", str(port), broker.url)
    process = await asyncio.create_subprocess_exec(*args)
    try:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
        yield port, broker.url
    finally:
        process.kill()
        await process.wait()
        broker.stop()


def tell(name: str, found: Measured, floor: Measured | None = None) -> None:
    say(name, found, floor)
    versus = f"  {found.at(0.99) / floor.at(0.99):5.1f} x floor" if floor else ""
    sys.stdout.write(f"{'':34} p99 {found.at(0.99):7.1f} ms{versus}\n")


async def main(events: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with (
            Mesh(free_plan(home / "home")) as mesh,
            floor_server(home) as (port, broker),
            open_gateway_client(mesh.address("gateway"), mesh.home) as client,
        ):
            await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=WORLD))
            for subscribers, rate_s in RATES.items():
                count = min(events, 10 * rate_s)
                base = await bare(port, broker, subscribers, count, rate_s)
                before = cpu_s(mesh)["gateway"]
                found = await through_the_gateway(mesh, client, subscribers, count, rate_s)
                spent = cpu_s(mesh)["gateway"] - before
                tell(f"floor to {subscribers}, {rate_s} events/s", base)
                tell(f"events to {subscribers}, {rate_s} events/s", found, base)
                sys.stdout.write(f"{'':34} gateway used {spent / found.seconds:.2f} of a core\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--floor", nargs=2)
    options = parser.parse_args()
    gc.freeze()  # a full collection over the imports would be measured as some 50 ms of the mesh
    asyncio.run(serve_floor(int(options.floor[0]), options.floor[1]) if options.floor else main(options.events))
