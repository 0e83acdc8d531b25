"""A burst of submissions over two gateways of one database, one SIGKILLed in the middle and dagmanager stopped.

Both sides are counted: what clients were told, and what the mesh has. Scaled down here; the whole of it is a soak.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc import aio

from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.roles import Role
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceStub
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient, in_chunks, open_gateway_client, source_node, submission
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

PAGE = 500
WAIT_S = 600.0
OK_CODES = frozenset({grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED})
GONE = grpc.StatusCode.UNAVAILABLE


@dataclass
class Told:
    """What the clients were told: the strategy of each acknowledged request, and every code."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    codes: Counter[grpc.StatusCode] = field(default_factory=Counter)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Mesh]:
    """A mesh with two gateways."""
    async with Mesh(laid_plan(tmp_path / "home", replicas={"gateway": 2})) as mesh:
        yield mesh


async def make_worlds(gateway_client: GatewayClient, count: int) -> list[str]:
    """Several, because worldservice binds at most 2,000 strategies to one."""
    names = [f"burst-{number}" for number in range(count)]
    for world_id in names:
        await gateway_client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world_id))
    return names


def requests(worlds: Sequence[str], count: int) -> list[strategypb.StrategySubmission]:
    """Submissions in turn to each world."""
    made = []
    for number in range(count):
        request = submission(worlds[number % len(worlds)], [source_node(f"S{number}")], f"burst-{number}")
        request.hints.as_of.FromDatetime(datetime(2026, 1, 5, tzinfo=UTC))
        made.append(request)
    return made


async def client(
    mesh: Mesh, number: int, work: asyncio.Queue[strategypb.StrategySubmission], told: Told, give_up: float
) -> None:
    """Submits what is left, with the same request_id until it is acknowledged, at one gateway or the other."""
    token = user_token_path(mesh.home, Role.OPERATOR).read_text().strip()
    said = (("authorization", f"Bearer {token}"),)
    options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1)]
    async with (
        aio.insecure_channel(mesh.address("gateway"), options=options) as one,
        aio.insecure_channel(mesh.address("gateway-2"), options=options) as two,
    ):
        stubs = [StrategyServiceStub(one), StrategyServiceStub(two)]
        while not work.empty():
            request = work.get_nowait()
            while request.request_id not in told.acknowledged:
                assert time.monotonic() < give_up, f"{request.request_id} was not acknowledged in time: {told.codes}"
                chunks = in_chunks(request)
                try:
                    reply = await stubs[number % 2].SubmitStrategy(
                        chunks, metadata=said + tuple(chunks.stated.metadata.items()), timeout=30
                    )
                except aio.AioRpcError as error:
                    told.codes[error.code()] += 1
                    if error.code() is GONE:
                        number += 1  # killed, or degraded: the other one, with the same request_id
                    await asyncio.sleep(0.05)
                else:
                    told.codes[grpc.StatusCode.OK] += 1
                    told.acknowledged[request.request_id] = reply.strategy.strategy_id


async def disturb(mesh: Mesh, told: Told, count: int, stopped_s: float) -> None:
    """SIGKILL a gateway at a third, stop dagmanager for a while at a half."""
    await eventually(lambda: len(told.acknowledged) >= count // 3, timeout_s=WAIT_S)
    mesh.kill("gateway-2", signal.SIGKILL)
    await eventually(lambda: len(told.acknowledged) >= count // 2, timeout_s=WAIT_S)
    mesh.kill("dagmanager", signal.SIGSTOP)
    await asyncio.sleep(stopped_s)
    mesh.kill("dagmanager", signal.SIGCONT)


async def listed(gateway_client: GatewayClient, world_id: str) -> dict[str, int]:
    """The state of each of the world's strategies."""
    states: dict[str, int] = {}
    page = commonpb.PageRequest(page_size=PAGE)
    while True:
        reply = await gateway_client.strategies.ListStrategies(
            strategyservicepb.ListStrategiesRequest(world_id=world_id, page=page)
        )
        assert not states.keys() & {strategy.strategy_id for strategy in reply.strategies}
        states.update((strategy.strategy_id, strategy.state) for strategy in reply.strategies)
        if not reply.page.next_page_token:
            return states
        page.page_token = reply.page.next_page_token


async def all_settled(
    gateway_client: GatewayClient, worlds: Sequence[str], count: int, within_s: float
) -> dict[str, list[str]]:
    """Ids of each world's strategies once all are COMPLETED."""
    deadline = time.monotonic() + within_s
    while True:
        found = {world_id: await listed(gateway_client, world_id) for world_id in worlds}
        states = Counter(state for strategies in found.values() for state in strategies.values())
        if states == {controlpb.STRATEGY_STATE_COMPLETED: count}:
            return {world_id: sorted(strategies) for world_id, strategies in found.items()}
        assert time.monotonic() < deadline, f"not settled: {states}"
        await asyncio.sleep(0.25)


async def bindings_of(gateway_client: GatewayClient, world_id: str) -> list[str]:
    """Strategies bound to the world."""
    bindings: list[str] = []
    page = commonpb.PageRequest(page_size=PAGE)
    while True:
        reply = await gateway_client.bindings.ListBindings(
            bindingservicepb.ListBindingsRequest(world_id=world_id, page=page)
        )
        bindings += [binding.strategy_id for binding in reply.bindings]
        if not reply.page.next_page_token:
            return sorted(bindings)
        page.page_token = reply.page.next_page_token


async def check_each_completed_once(gateway_client: GatewayClient, told: Told, found: Mapping[str, list[str]]) -> None:
    """Exactly what was acknowledged is there, each with one completion, one binding and one plan."""
    ids = [strategy_id for strategies in found.values() for strategy_id in strategies]
    assert sorted(ids) == sorted(told.acknowledged.values())
    assert len(set(ids)) == len(ids)
    for world_id, strategies in found.items():
        assert await bindings_of(gateway_client, world_id) == strategies
    for strategy_id in ids:
        asked = strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
        entries = (await gateway_client.strategies.GetStrategyHistory(asked)).entries
        assert [entry.strategy_revision for entry in entries] == list(range(1, len(entries) + 1))
        assert [entry.state for entry in entries].count(controlpb.STRATEGY_STATE_COMPLETED) == 1
        plans = (await gateway_client.plans.ListPlans(planservicepb.ListPlansRequest(strategy_id=strategy_id))).plans
        assert [plan.version for plan in plans] == [1]


async def burst(mesh: Mesh, count: int, clients: int, worlds: int, stopped_s: float, within_s: float) -> Told:
    told, work = Told(), asyncio.Queue[strategypb.StrategySubmission]()
    give_up = time.monotonic() + within_s
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as gateway_client:
        names = await make_worlds(gateway_client, worlds)
        for request in requests(names, count):
            work.put_nowait(request)
        disturbing = asyncio.create_task(disturb(mesh, told, count, stopped_s))
        await asyncio.gather(*(client(mesh, number, work, told, give_up) for number in range(clients)))
        await disturbing
        await check_each_completed_once(gateway_client, told, await all_settled(gateway_client, names, count, within_s))
    assert set(told.codes) <= OK_CODES | {GONE}
    assert len(told.acknowledged) == count
    return told


@pytest.mark.timeout(180)
async def test_every_acknowledged_submission_completes_once_although_processes_die(pair: Mesh) -> None:
    told = await burst(pair, count=120, clients=10, worlds=2, stopped_s=2.0, within_s=90)
    assert told.codes[grpc.StatusCode.OK] >= 120


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_burst_of_five_thousand_from_fifty_clients(pair: Mesh) -> None:
    told = await burst(pair, count=5_000, clients=50, worlds=5, stopped_s=5.0, within_s=900)
    assert told.codes[grpc.StatusCode.OK] >= 5_000
