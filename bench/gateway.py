"""Submissions and orders through the gateway, against bare gRPC with one durable commit in the same run.

    python -m bench.gateway [--submits 100] [--orders 300]

A real mesh of processes on SQLite. The floor is a process of its own that takes the same bytes by gRPC and commits them
in one durable transaction.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import grpc
import sqlalchemy as sa
from grpc import aio

from bench._measuring import cpu_s, idle_share, measure, say
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.ports import free_ports
from qmtl.cli.local.supervisor import Mesh
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.sql.database import Database
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient, in_chunks, open_gateway_client, source_node, submission
from tests.mesh.trading_mesh import TradingMesh
from tests.support.waiting import eventually

FLOOR = "/bench.Floor/Commit"
IN_FLIGHT = 64
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"


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


async def submits(mesh: Mesh, client: GatewayClient, count: int, floor: Callable[[bytes], Awaitable[object]]) -> None:
    done: dict[int, tuple[float, str]] = {}
    world = "bench"
    body = asked(world, 0).SerializeToString()

    async def submit(index: int) -> None:
        begun = time.time()
        reply = await client.strategies.SubmitStrategy(in_chunks(asked(world, index)))
        done[index] = begun, reply.strategy.strategy_id

    await measure(submit, 5, 1)
    idle = await idle_share(mesh)
    for in_flight, first in ((1, 1_000), (IN_FLIGHT, 10_000)):
        total = count if in_flight == 1 else 3 * count
        base = await measure(lambda index: floor(body), total, in_flight)
        before = cpu_s(mesh)
        found = await measure(lambda index, first=first: submit(first + index), total, in_flight)  # type: ignore[misc]  # bound now
        say(f"floor, {in_flight} in flight", base)
        say(f"submit to COMPLETED, {in_flight} in flight", found, base)
        tell_cpu(mesh, before, total, {name: share * found.seconds for name, share in idle.items()})
        await stages(client, [done[index] for index in done if index >= first])


def tell_cpu(mesh: Mesh, before: Mapping[str, float], count: int, idle: Mapping[str, float]) -> None:
    """CPU of each process for one of `count` acts, less what it would have spent without them."""
    spent = {name: (now - before[name] - idle[name]) * 1e3 / count for name, now in cpu_s(mesh).items()}
    told = ", ".join(f"{name} {ms:.1f}" for name, ms in spent.items() if ms >= 0.1)
    sys.stdout.write(f"{'':34} CPU ms each: {sum(spent.values()):.1f} in all; {told}\n")


def asked(world: str, index: int) -> strategypb.StrategySubmission:
    request = submission(world, [source_node(f"S{index}")])
    request.hints.as_of.FromDatetime(datetime(2026, 1, 5, tzinfo=UTC))
    return request


async def stages(client: GatewayClient, sent: Sequence[tuple[float, str]]) -> None:
    """Medians of the steps between call, acceptance, claim and completion, from the strategies' own histories."""
    parts: dict[str, list[float]] = {"accept": [], "wait for a worker": [], "bind, decide, diff": []}
    for begun, strategy_id in sent[:100]:
        asked_for = strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
        entries = (await client.strategies.GetStrategyHistory(asked_for)).entries
        times = [entry.time.ToNanoseconds() / 1e9 for entry in entries]
        if len(times) == 3:
            for name, step in zip(parts, (times[0] - begun, times[1] - times[0], times[2] - times[1]), strict=True):
                parts[name].append(step)
    split = ", ".join(f"{name} {statistics.median(found) * 1e3:.1f} ms" for name, found in parts.items() if found)
    sys.stdout.write(f"{'':34} {split}\n")


async def orders(mesh: Mesh, client: GatewayClient, count: int, floor: Callable[[bytes], Awaitable[object]]) -> None:
    """Limit orders that rest far below a market whose bars go on coming."""
    trading = TradingMesh(mesh, {"gateway": client})
    await trading.prepare(bars_per_second=1.0)
    await eventually(lambda: rests(trading), 30.0)
    body, states = trading.order("floor").SerializeToString(), Counter[str]()

    async def send(index: int) -> None:
        status = (await trading.submit(trading.order(f"o-{index}"))).status
        states[f"{orderpb.OrderState.Name(status.state)} {orderpb.Denial.Name(status.denial)}"] += 1

    idle = await idle_share(mesh)
    for in_flight, first in ((1, 0), (IN_FLIGHT, 10_000)):
        base = await measure(lambda index: floor(body), count, in_flight)
        before = cpu_s(mesh)
        found = await measure(lambda index, first=first: send(first + index), count, in_flight)  # type: ignore[misc]  # bound now
        say(f"order through the gate, {in_flight} in flight", found, base)
        tell_cpu(mesh, before, count, {name: share * found.seconds for name, share in idle.items()})
    sys.stdout.write(f"{'':34} {', '.join(f'{n} {state}' for state, n in sorted(states.items()))}\n")


async def rests(trading: TradingMesh) -> bool:
    """Whether the venue has a price by now."""
    status = (await trading.submit(trading.order(f"first-{time.monotonic_ns()}"))).status
    return status.state != orderpb.ORDER_STATE_DENIED


def limitless(folder: Path) -> Path:
    """A configuration in which neither the rate nor the number of orders is refused: their cost is what is measured."""
    path = folder / "qmtl.toml"
    path.write_text("[brokerage]\norders_per_s_max = 0\nopen_orders_max = 1000000\n")
    return path


async def main(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with (
            Mesh(free_plan(home / "home", limitless(home))) as mesh,
            floor_call(home) as floor,
            open_gateway_client(mesh.address("gateway"), mesh.home) as client,
        ):
            await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="bench"))
            await submits(mesh, client, given.submits, floor)
            await orders(mesh, client, given.orders, floor)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--submits", type=int, default=100)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--floor", nargs=2)
    options = parser.parse_args()
    gc.freeze()  # a full collection over the imports would be measured as some 50 ms of the mesh
    asyncio.run(serve_floor(int(options.floor[0]), Path(options.floor[1])) if options.floor else main(options))
