"""Two DAG Manager processes on one PostgreSQL: one graph, whoever asks, whoever is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlbus.bus import connected
from controlbus.events.subscription import Subscription
from qmtl.core.errors import QmtlError
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.rpc.client.channel import connect
from tests.dagmanager.graphs import chain, context
from tests.dagmanager.serving import Served, asking, diff_request
from tests.support.nats import free_port
from tests.support.processes import python_env
from tests.support.waiting import eventually


@contextmanager
def dagmanager(home: Path, database_url: str, nats_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    env = python_env() | {
        "QMTL__MESH__HOME": str(home),
        "QMTL__MESH__NATS_URL": nats_url,
        "QMTL__DAGMANAGER__DATABASE_URL": database_url,
        "QMTL__DAGMANAGER__BIND": f"127.0.0.1:{port}",
        "QMTL__DAGMANAGER__METRICS_PORT": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "dagmanager"], env=env, cwd=home)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=15)


async def healthy(address: str) -> None:
    async with connect(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def serves() -> bool:
            try:
                reply = await stub.Check(  # type: ignore[attr-defined]  # the published stubs declare no methods
                    health_pb2.HealthCheckRequest(), timeout=1
                )
            except QmtlError:
                return False
            return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

        await eventually(serves, 30)


@asynccontextmanager
async def pair(
    home: Path, database_url: str, nats_url: str
) -> AsyncIterator[list[tuple[Served, subprocess.Popen[bytes]]]]:
    ports = [free_port(), free_port()]
    with (
        dagmanager(home, database_url, nats_url, ports[0]) as first,
        dagmanager(home, database_url, nats_url, ports[1]) as second,
    ):
        await asyncio.gather(*(healthy(f"127.0.0.1:{port}") for port in ports))
        yield [(Served(home, ports[0]), first), (Served(home, ports[1]), second)]


async def ask(served: Served, request: diffpb.DiffQuestion) -> list[diffpb.DiffChunk]:
    async with served.stub() as stub:
        return [reply.chunk async for reply in stub.diffs.Diff(asking(request), timeout=60)]


def counted(database_url: str, table: str) -> int:
    with psycopg.connect(database_url) as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


async def test_twenty_clients_of_two_processes_see_one_graph(home: Path, postgres_url: str, nats_url: str) -> None:
    common = chain(60)
    requests = [
        diff_request(
            [*common, *chain(10, f"own{index % 5}-")],
            f"r{index}",
            f"s{index % 15}",  # some strategies are asked for twice at once
            [context("w1"), context("w2")],
        )
        for index in range(20)
    ]
    async with pair(home, postgres_url, nats_url) as both:
        jobs = [ask(both[index % 2][0], request) for index, request in enumerate(requests)]
        answers = await asyncio.gather(*jobs)
    said: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for chunks in answers:
        for each in (assignment for chunk in chunks for assignment in chunk.assignments):
            said.setdefault((each.node_id, each.world_id), set()).add((each.compute_key, each.topic))
    expected = 60 + 5 * 10
    assert {len(keys) for keys in said.values()} == {1}
    assert len(said) == 2 * expected
    assert (counted(postgres_url, "nodes"), counted(postgres_url, "queues")) == (expected, 2 * expected)
    assert sum(chunks[-1].summary.new_nodes for chunks in answers) == expected
    assert sum(chunks[-1].summary.new_queues for chunks in answers) == 2 * expected
    assert counted(postgres_url, "plans") == 15


async def test_a_killed_process_loses_no_answer_and_no_event(home: Path, postgres_url: str, nats_url: str) -> None:
    """Killed with events still to publish: the other process publishes them, and knows the answers."""
    strategies = [f"killed{index}" for index in range(12)]
    requests = [diff_request(chain(3, name), f"r-{name}", name) for name in strategies]
    async with connected(nats_url, service="t") as bus, pair(home, postgres_url, nats_url) as both:
        await bus.wait_ready(15)
        async with bus.subscribe(["sentinel_weight_updated"], keys=strategies) as deliveries:
            (first, process), (second, _) = both
            before = await asyncio.gather(*(ask(first, request) for request in requests))
            process.send_signal(signal.SIGKILL)
            again = await asyncio.gather(*(ask(second, request) for request in requests))
            heard = await asyncio.wait_for(hear(deliveries, set(strategies)), 60)
    assert again == before
    assert heard == {name: [1] for name in strategies}


async def hear(deliveries: Subscription, strategies: set[str]) -> dict[str, list[int]]:
    """Revisions heard per strategy until each was heard of."""
    heard: dict[str, list[int]] = {}
    async for delivery in deliveries:
        heard.setdefault(delivery.event.key, []).append(delivery.event.revision)
        await delivery.ack()
        if set(heard) == strategies:
            return heard
    raise AssertionError("the subscription ended")


async def test_a_process_is_healthy_without_a_broker(home: Path) -> None:
    port = free_port()
    database = f"sqlite:///{home / 'alone.db'}"
    with dagmanager(home, database, f"nats://127.0.0.1:{free_port()}", port):
        await healthy(f"127.0.0.1:{port}")
        assert await ask(Served(home, port), diff_request(chain(2), "r", "s"))
