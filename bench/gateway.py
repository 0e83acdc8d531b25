"""Submissions, event fan-out and orders through the gateway, against bare gRPC with one durable commit in the same run.

    python -m bench.gateway [--submits 100] [--events 2000] [--orders 300]

A real mesh of processes on SQLite. The floor is a process of its own that takes the same bytes by gRPC and commits them
in one durable transaction. Subscribers run in this process, so their cost is in the fan-out's numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import grpc
import psutil  # type: ignore[import-untyped]  # ships no types
import sqlalchemy as sa
from grpc import aio

from controlbus.bus import Bus
from controlbus.database import Database
from controlbus.events import ControlEventDraft, number
from controlbus.permissions import seed_path
from controlbus.subjects import control_subject
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.cli.plan import free_plan
from qmtl.cli.probe import free_ports
from qmtl.cli.up import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from tests.mesh.door import Door, open_door, source_node, submission
from tests.worldservice.estate import evaluation_at
from tests.worldservice.samples import DOCUMENT

FLOOR = "/bench.Floor/Commit"
PRESET = "demo.btc.15m"
RATE_S = 500
IN_FLIGHT = 64
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
Act = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies of acts in seconds, and how long all took."""

    latencies: Sequence[float]
    seconds: float

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies) * 1e3

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def at(self, share: float) -> float:
        """A quantile in ms."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


async def measure(act: Act, count: int, in_flight: int) -> Measured:
    """Acts 0..count-1, so many at a time."""
    numbers, latencies = iter(range(count)), list[float]()

    async def work() -> None:
        for index in numbers:
            begun = time.perf_counter()
            await act(index)
            latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return Measured(latencies, time.perf_counter() - begun)


def say(name: str, found: Measured, floor: Measured | None = None) -> None:
    ratio = f"  {found.p50_ms / floor.p50_ms:5.1f} x floor, rate {found.rate / floor.rate:.2f} x" if floor else ""
    line = f"{name:34} p50 {found.p50_ms:7.1f} ms  p95 {found.at(0.95):7.1f} ms  {found.rate:7.1f}/s{ratio}\n"
    sys.stdout.write(line)


async def serve_floor(port: int, folder: Path) -> None:
    """The floor's process: takes bytes, commits them, answers."""
    db = Database(f"sqlite:///{folder / 'floor.db'}", synchronous="NORMAL")
    await db.write(lambda conn: conn.execute(sa.text("CREATE TABLE bodies (body BLOB)")))

    async def commit(body: bytes, context: object) -> bytes:
        await db.write(lambda conn: conn.execute(sa.text("INSERT INTO bodies VALUES (:b)"), {"b": body}))
        return b""

    handlers: dict[str, Handler] = {"Commit": grpc.unary_unary_rpc_method_handler(commit)}
    server = aio.server(handlers=[grpc.method_handlers_generic_handler("bench.Floor", handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


@asynccontextmanager
async def floor_call(folder: Path) -> AsyncIterator[Callable[[bytes], Awaitable[object]]]:
    port = free_ports(1)[0]
    args = (sys.executable, "-m", "bench.gateway", "--floor", str(port), str(folder))
    process = await asyncio.create_subprocess_exec(*args)
    try:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(FLOOR)

            async def send(body: bytes) -> object:
                return await call(body, wait_for_ready=True, timeout=30)

            await send(b"warm")
            yield send
    finally:
        process.kill()
        await process.wait()


async def submits(mesh: Mesh, door: Door, count: int, floor: Callable[[bytes], Awaitable[object]]) -> None:
    done: dict[int, tuple[float, str]] = {}
    world = "bench"
    body = asked(world, 0).SerializeToString()

    async def submit(index: int) -> None:
        begun = time.time()
        reply = await door.gateway.SubmitStrategy(asked(world, index))
        done[index] = begun, reply.strategy.strategy_id

    await measure(submit, 5, 1)
    for in_flight, first in ((1, 1_000), (IN_FLIGHT, 10_000)):
        total = count if in_flight == 1 else 3 * count
        base = await measure(lambda index: floor(body), total, in_flight)
        before = cpu_s(mesh)
        found = await measure(lambda index, first=first: submit(first + index), total, in_flight)  # type: ignore[misc]  # bound now
        say(f"floor, {in_flight} in flight", base)
        say(f"submit to COMPLETED, {in_flight} in flight", found, base)
        spent = {name: (now - before[name]) * 1e3 / total for name, now in cpu_s(mesh).items()}
        told = ", ".join(f"{name} {ms:.1f}" for name, ms in spent.items() if ms >= 0.1)
        sys.stdout.write(f"{'':34} CPU ms each: {told}\n")
        await stages(door, [done[index] for index in done if index >= first])


def cpu_s(mesh: Mesh) -> dict[str, float]:
    """CPU seconds of each process so far."""
    times = {one.name: psutil.Process(one.pid).cpu_times() for one in mesh.running()}
    return {name: spent.user + spent.system for name, spent in times.items()}


def asked(world: str, index: int) -> servicepb.SubmitStrategyRequest:
    request = submission(world, [source_node(f"S{index}")])
    request.hints.as_of.FromDatetime(datetime(2026, 1, 5, tzinfo=UTC))
    return request


async def stages(door: Door, sent: Sequence[tuple[float, str]]) -> None:
    """Medians of the steps between call, acceptance, claim and completion, from the strategies' own histories."""
    parts: dict[str, list[float]] = {"accept": [], "wait for a worker": [], "bind, decide, diff": []}
    for begun, strategy_id in sent[:100]:
        asked_for = servicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
        entries = (await door.gateway.GetStrategyHistory(asked_for)).entries
        times = [entry.time.ToNanoseconds() / 1e9 for entry in entries]
        if len(times) == 3:
            for name, step in zip(parts, (times[0] - begun, times[1] - times[0], times[2] - times[1]), strict=True):
                parts[name].append(step)
    split = ", ".join(f"{name} {statistics.median(found) * 1e3:.1f} ms" for name, found in parts.items() if found)
    sys.stdout.write(f"{'':34} {split}\n")


async def fan_out(mesh: Mesh, door: Door, world: str, subscribers: int, count: int) -> None:
    """Events at a steady rate to many streams; latency from the event's own time."""
    topics = [gatewaypb.TOPIC_STRATEGY]
    created = await door.gateway.CreateEventStream(servicepb.CreateEventStreamRequest(world_id=world, topics=topics))
    latencies: list[float] = []
    key = f"s-fan-{subscribers}"
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        call = door.gateway.SubscribeEvents(servicepb.SubscribeEventsRequest(token=created.stream.token))
        try:
            async for reply in call:
                now = time.time()
                if reply.frame.HasField("bookmark"):
                    ready.release()
                for event in reply.frame.events.events:
                    if event.key == key:
                        latencies.append(now - event.time.ToNanoseconds() / 1e9)
                        if event.revision == count:
                            return
        finally:
            call.cancel()

    following = [asyncio.create_task(follow()) for _ in range(subscribers)]
    for _ in range(subscribers):
        await ready.acquire()
    begun = time.perf_counter()
    await publish(mesh, world, key, count)
    await asyncio.gather(*following)
    say(f"fan-out to {subscribers}, {RATE_S} events/s", Measured(latencies, time.perf_counter() - begun))
    sys.stdout.write(f"{'':34} p99 {Measured(latencies, 1).at(0.99):.1f} ms\n")


async def publish(mesh: Mesh, world: str, key: str, count: int) -> None:
    payload = controlpb.StrategyStateChanged(strategy_id=key, world_ids=[world])
    bus = await Bus.connect(mesh.plan.nats_url, service="gateway", credentials=seed_path(mesh.home, "gateway"))
    try:
        await bus.wait_ready(10.0)
        begun = time.perf_counter()
        pending: set[asyncio.Task[int]] = set()
        for revision in range(1, count + 1):
            await asyncio.sleep(max(0.0, begun + revision / RATE_S - time.perf_counter()))
            event = number(ControlEventDraft("gateway", key, payload, datetime.now(UTC)), revision)
            subject, body = control_subject("strategy_state_changed", key), event.SerializeToString()
            pending.add(asyncio.create_task(bus.publish(subject, body, msg_id=event.event_id)))
        await asyncio.gather(*pending)
    finally:
        await bus.close()


async def orders(door: Door, count: int, floor: Callable[[bytes], Awaitable[object]]) -> None:
    """Orders that rest far from the market, or are denied by a rule: either way durable before the answer."""
    world = "bench-orders"
    await door.world.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world, data_presets=[PRESET]))
    await door.world.PutPolicy(
        worldservicepb.PutPolicyRequest(world_id=world, document=DOCUMENT.replace("5m", "3650d"), make_default=True)
    )
    strategy_id = (await door.gateway.SubmitStrategy(submission(world, [source_node()]))).strategy.strategy_id
    evaluation = evaluation_at(datetime(2021, 12, 25, tzinfo=UTC), world, strategy_id)
    await door.world.Evaluate(evaluation)
    change = worldservicepb.ActivationChange(
        strategy_id=strategy_id, side=commonpb.SIDE_LONG, active=True, stage=worldpb.STAGE_PAPER
    )
    set_to = worldservicepb.SetActivationRequest(world_id=world, changes=[change])
    activation = (await door.world.SetActivation(set_to)).activation
    session = activation.sessions[0].session_id if activation.sessions else ""
    account = brokerservicepb.OpenPaperAccountRequest(
        account="bench", world_id=world, data_preset=PRESET, data_session_id=session
    )
    await door.broker.OpenPaperAccount(account)

    def order(index: int) -> servicepb.SubmitOrderRequest:
        return servicepb.SubmitOrderRequest(order=brokerpb.Order(
            account="bench", world_id=world, strategy_id=strategy_id, client_order_id=f"o-{index}", symbol="BTC-USD",
            side=brokerpb.ORDER_SIDE_BUY, type=brokerpb.ORDER_TYPE_LIMIT, quantity="0.001", limit_price="1000",
            time_in_force=brokerpb.TIME_IN_FORCE_GTC,
        ))  # fmt: skip

    body, states = order(0).SerializeToString(), set[str]()

    async def send(index: int) -> None:
        status = (await door.gateway.SubmitOrder(order(index))).status
        states.add(f"{brokerpb.OrderState.Name(status.state)} {brokerpb.Denial.Name(status.denial)}")

    for in_flight, first in ((1, 0), (IN_FLIGHT, 10_000)):
        base = await measure(lambda index: floor(body), count, in_flight)
        found = await measure(lambda index, first=first: send(first + index), count, in_flight)  # type: ignore[misc]  # bound now
        say(f"order through the gate, {in_flight} in flight", found, base)
    sys.stdout.write(f"{'':34} {', '.join(sorted(states))}\n")


async def main(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with (
            Mesh(free_plan(home / "home")) as mesh,
            floor_call(home) as floor,
            open_door(mesh.address("gateway"), mesh.home) as door,
        ):
            await door.world.CreateWorld(worldservicepb.CreateWorldRequest(world_id="bench"))
            await submits(mesh, door, given.submits, floor)
            for subscribers in (1, 100):
                await fan_out(mesh, door, "bench", subscribers, given.events)
            await orders(door, given.orders, floor)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--submits", type=int, default=100)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--floor", nargs=2)
    options = parser.parse_args()
    asyncio.run(serve_floor(int(options.floor[0]), Path(options.floor[1])) if options.floor else main(options))
