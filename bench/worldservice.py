"""Decide, Evaluate and Apply of a real worldservice beside a real brokerage; latencies against their floors.

    python -m bench.worldservice [--sizes 10 200 2000] [--gateways 1 3 10]

A decision's floor is GetWorld, one RPC that reads one row. An apply's floor is what it cannot do without: two control
events through the bus and two SetFence calls. Gateways are the gateway's own gates, in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from blake3 import blake3
from google.protobuf.timestamp_pb2 import Timestamp

from controlbus.bus import Bus
from gateway.orders.activations import HeldActivations
from gateway.peers import Peers
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import QmtlError
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import ensure_service_token, mint_service_token, mint_user_token
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.nats import NatsServer, free_port
from tests.support.processes import python_env
from tests.support.waiting import eventually
from tests.support.world_stubs import WorldStubs
from worldservice.policy.domain.expressions import Expression
from worldservice.policy.domain.policy import parse_policy, rules_of

POLICY = """
data_currency: {max_lag: 1d}
selection:
  gates: {and: ["sample_days >= 30", "sharpe >= 0.6", "max_drawdown <= 0.25"]}
  score: "sharpe + 0.1*win_rate - 0.2*ulcer_index"
  topk: {total: 50}
evidence: claims
"""
METRICS = {"sample_days": 90.0, "max_drawdown": 0.1, "win_rate": 0.5, "ulcer_index": 1.0}
SERVICES = ("worldservice", "brokerage")
ROUNDS = 60
APPLIES = 20
COHORT = 500
SHARED, OWN, CUTS = 25, 25, 20  # nodes of a strategy's graph, and edges between shared ones


class BenchedService:
    """Two services of one home, as processes, and stubs on them."""

    def __init__(self, home: Path, nats_url: str, stack: AsyncExitStack) -> None:
        self.home, self.nats_url, self.stack = home, nats_url, stack
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in SERVICES}

    def start(self) -> None:
        env = {**python_env(), "QMTL__MESH__HOME": str(self.home), "QMTL__MESH__NATS_URL": self.nats_url}
        env["QMTL__MESH__LOG_LEVEL"] = "WARNING"
        for name, address in self.addresses.items():
            env[f"QMTL__MESH__ADDRESSES__{name.upper()}"] = address
            env[f"QMTL__{name.upper()}__METRICS_PORT"] = "0"
        for name in SERVICES:
            log = self.stack.enter_context((self.home / f"{name}.log").open("ab"))
            process = subprocess.Popen([sys.executable, "-m", name], env=env, stdout=log, stderr=log)
            self.stack.callback(process.wait)
            self.stack.callback(process.kill)

    async def world(self) -> WorldStubs:
        user = mint_user_token(self.home, Role.OWNER, "ann")
        service = mint_service_token(self.home, "gateway")
        channel = connect(
            self.addresses["worldservice"], user_token=lambda: user, service_token=lambda: service, default_timeout_s=60
        )
        return WorldStubs(await self.stack.enter_async_context(channel))

    async def fence(self) -> fencerpc.FenceServiceAsyncStub:
        service = mint_service_token(self.home, "worldservice")
        channel = connect(self.addresses["brokerage"], service_token=lambda: service)
        return fencerpc.FenceServiceStub(await self.stack.enter_async_context(channel))

    async def peers(self) -> Peers:
        service = mint_service_token(self.home, "gateway")
        channel = connect(self.addresses["worldservice"], service_token=lambda: service)
        opened = await self.stack.enter_async_context(channel)
        names = ("worldservice", "dagmanager", "brokerage", "seamless", "controlbus")
        return Peers.over(dict.fromkeys(names, opened))


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[BenchedService]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ensure_dev_keys(home)
        for name in SERVICES:
            ensure_service_token(home, name)
        (home / "bus").mkdir()
        nats = NatsServer(home / "bus")
        nats.start()
        async with AsyncExitStack() as stack:
            stack.callback(nats.stop)
            benched = BenchedService(home, nats.url, stack)
            benched.start()
            world = await benched.world()
            await eventually(
                lambda: answers(lambda: world.policies.ListMetrics(policyservicepb.ListMetricsRequest())), 30.0
            )
            yield benched


async def answers(call: Callable[[], Awaitable[object]]) -> bool:
    try:
        await call()
    except QmtlError:
        return False
    return True


async def milliseconds(call: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        await call()
        found.append((time.perf_counter() - started) * 1e3)
    return found


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(name: str, values: list[float], floor_ms: float) -> str:
    p50 = statistics.median(values)
    p95 = sorted(values)[int(0.95 * (len(values) - 1))]
    return f"{name:28} p50 {p50:8.1f} ms  p95 {p95:8.1f} ms  {p50 / floor_ms:5.1f} x floor {floor_ms:.1f} ms"


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def evaluation(world_id: str, number: int, run_id: str) -> evaluationservicepb.EvaluateRequest:
    now = datetime.now(UTC)
    metrics = {**METRICS, "sharpe": 1.0 + number / 1000}
    return evaluationservicepb.EvaluateRequest(
        world_id=world_id,
        strategy_id=f"s{number:04d}",
        run_id=run_id,
        stage=bindingpb.STAGE_BACKTEST,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in metrics.items()],
        dataset_fingerprint="blake3:bench",
        data_start=stamp(now - timedelta(days=90)),
        data_end=stamp(now - timedelta(minutes=1)),
        coverage_ratio=1.0,
    )


async def fill(world: WorldStubs, world_id: str, count: int) -> None:
    await world.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world_id))
    for number in range(count):
        nodes = [node_id(index) for index in range(SHARED)] + [node_id(number * OWN + index) for index in range(OWN)]
        bind = bindingservicepb.BindStrategyRequest(world_id=world_id, strategy_id=f"s{number:04d}", node_ids=nodes)
        await world.bindings.BindStrategy(bind)
    await world.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id=world_id, document=POLICY, make_default=True)
    )
    for first in range(0, count, COHORT):
        request = evaluationservicepb.EvaluationCohort(world_id=world_id, run_id="r0", stage=bindingpb.STAGE_BACKTEST)
        last = min(first + COHORT, count)
        request.strategies.extend(evaluation(world_id, number, "r0") for number in range(first, last))
        await world.evaluation.EvaluateCohort(Chunked(evaluationservicepb.EvaluateCohortRequest, request, [world_id]))


def node_id(number: int) -> str:
    return f"blake3:{blake3(number.to_bytes(8, 'big')).hexdigest()}"


async def cut(world: WorldStubs, world_id: str) -> None:
    """Edges off that every strategy has, in LIVE, so that nobody leaves and each is found in each graph."""
    for number in range(CUTS):
        edge = worldgraphpb.EdgeOverride(
            world_id=world_id,
            from_node_id=node_id(number),
            to_node_id=node_id(number + 1),
            to_domain=commonpb.EXECUTION_DOMAIN_LIVE,
        )
        await world.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=edge))


async def bench_binds(benched: BenchedService) -> None:
    """What telling a graph costs: the floor is a bind without one."""
    world = await benched.world()
    await fill(world, "binds", 1)
    numbers = iter(range(100_000))

    def binding(nodes: int) -> Callable[[], Awaitable[object]]:
        def bind() -> Awaitable[object]:
            name = next(numbers)
            told = [node_id(name * 10_000 + index) for index in range(nodes)]
            return world.bindings.BindStrategy(
                bindingservicepb.BindStrategyRequest(world_id="binds", strategy_id=f"b{name}", node_ids=told)
            )

        return bind

    floor = statistics.median(await milliseconds(binding(0), ROUNDS))
    for nodes in (10, 100, 1000, 10_000):
        say(row(f"bind, {nodes} nodes", await milliseconds(binding(nodes), ROUNDS if nodes < 10_000 else 5), floor))


def cel_ms(count: int) -> float:
    """What judging so many strategies costs in CEL alone, when none of it is remembered."""
    policy = parse_policy(POLICY)
    rules: list[Expression] = list(rules_of(policy.thresholds.gates))
    started = time.perf_counter()
    for number in range(count):
        values = {**METRICS, "sharpe": 1.0 + number / 1000}
        for rule in rules:
            rule.test(values)
        if policy.score is not None:
            policy.score.number(values)
    return (time.perf_counter() - started) * 1e3


async def bench_decisions(benched: BenchedService, sizes: list[int]) -> None:
    world = await benched.world()
    for count in sizes:
        world_id = f"size-{count}"
        await fill(world, world_id, count)
        floor = statistics.median(
            await milliseconds(
                partial(world.worlds.GetWorld, worldservicepb.GetWorldRequest(world_id=world_id)), ROUNDS
            )
        )
        decide = await milliseconds(
            partial(world.evaluation.Decide, evaluationservicepb.DecideRequest(world_id=world_id)), ROUNDS
        )
        say(row(f"decide {count}", decide, floor))
        numbers = iter(range(10_000))

        async def evaluate(w: str = world_id, numbers: object = numbers) -> None:
            assert isinstance(numbers, type(iter(range(0))))
            await world.evaluation.Evaluate(evaluation(w, 0, f"r{next(numbers) + 1}"))

        evaluated = await milliseconds(evaluate, ROUNDS)
        say(row(f"evaluate {count}", evaluated, floor))
        say(f"{'':28} CEL for all {count}, none remembered: {cel_ms(count):.1f} ms")
        await cut(world, world_id)
        decide = await milliseconds(
            partial(world.evaluation.Decide, evaluationservicepb.DecideRequest(world_id=world_id)), ROUNDS
        )
        say(row(f"decide {count}, {CUTS} edges off", decide, floor))


async def bench_floor(benched: BenchedService, bus: Bus) -> float:
    """Two published events that came back, and two fences."""
    fence = await benched.fence()
    epochs = iter(range(1, 10_000))
    frozen, mode = "FENCE_STATE_FROZEN", commonpb.EFFECTIVE_MODE_COMPUTE_ONLY

    async def fences() -> None:
        for _ in range(2):
            await fence.SetFence(
                fenceservicepb.SetFenceRequest(
                    world_id="floor", fence_epoch=next(epochs), state=frozen, effective_mode=mode
                )
            )

    world = await benched.world()
    await fill(world, "floor", 1)

    async with bus.subscribe(["policy_updated"]) as deliveries:

        async def events() -> None:
            for version in (1, 2):
                await world.policies.SetDefaultPolicy(
                    policyservicepb.SetDefaultPolicyRequest(world_id="floor", version=version)
                )
                delivery = await anext(aiter(deliveries))
                await delivery.ack()

        document = POLICY.replace("0.6", "0.5")
        await world.policies.PutPolicy(
            policyservicepb.PutPolicyRequest(world_id="floor", document=document, make_default=True)
        )
        await (await anext(aiter(deliveries))).ack()
        floors = [
            sum(pair) for pair in zip(await milliseconds(fences, 20), await milliseconds(events, 20), strict=True)
        ]
    return statistics.median(floors)


async def follow(bus: Bus, gates: HeldActivations) -> None:
    """As a gateway hears of activations."""
    async with bus.subscribe(["activation_updated"]) as deliveries:
        async for delivery in deliveries:
            gates.on_event(delivery.event)
            await delivery.ack()


async def bench_apply(benched: BenchedService, gateways: list[int]) -> None:
    world = await benched.world()
    bus = await Bus.connect(benched.nats_url, service="bench", clock=SystemClock())
    benched.stack.push_async_callback(bus.close)
    floor = await bench_floor(benched, bus)
    tasks: list[asyncio.Task[None]] = []
    for count in gateways:
        world_id = f"gates-{count}"
        await fill(world, world_id, 1)
        while len(tasks) < 3 * count:
            gates = HeldActivations(await benched.peers(), SystemClock(), f"g{len(tasks)}", 1.0)
            tasks += [
                asyncio.create_task(gates.run()),
                asyncio.create_task(gates.run_acks()),
                asyncio.create_task(follow(bus, gates)),
            ]
        await asyncio.sleep(1.0)
        numbers = iter(range(10_000))

        async def apply(w: str = world_id, numbers: object = numbers) -> None:
            assert isinstance(numbers, type(iter(range(0))))
            await apply_once(world, w, f"a{next(numbers)}")

        say(row(f"apply {count} gateways", await milliseconds(apply, APPLIES), floor))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def apply_once(world: WorldStubs, world_id: str, run_id: str) -> None:
    target = applypb.ApplyTarget(
        strategy_id="s0000", side=commonpb.SIDE_LONG, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    await world.applies.Apply(
        applyservicepb.ApplyRequest(world_id=world_id, run_id=run_id, targets=applypb.ApplyTargets(targets=[target]))
    )
    async for update in world.applies.WatchApplyRun(
        applyservicepb.WatchApplyRunRequest(world_id=world_id, run_id=run_id)
    ):
        if update.run.HasField("ended_at"):
            assert update.run.state == applypb.APPLY_STATE_COMPLETED, update.run
            return


async def bench(sizes: list[int], gateways: list[int]) -> None:
    async with running() as benched:
        await bench_apply(benched, gateways)
        await bench_decisions(benched, sizes)
        await bench_binds(benched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 200, 2000])
    parser.add_argument("--gateways", type=int, nargs="+", default=[1, 3, 10])
    asked = parser.parse_args()
    asyncio.run(bench(asked.sizes, asked.gateways))


if __name__ == "__main__":
    main()
