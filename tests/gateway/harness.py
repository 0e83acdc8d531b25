"""A gateway as it runs, with its real peers: worldservice, dagmanager and brokerage composed in this process.

Real gRPC on loopback, real NATS, real stores. Each service can be taken away and brought back on its address, and the
gateway's clock can jump, as it does when a machine slept.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brokerage.__main__ as brokerage
import brokerage.config as brokerageconfig
import dagmanager.__main__ as dagmanager
import dagmanager.config as dagmanagerconfig
import gateway.__main__ as gateway
import gateway.config as gatewayconfig
import seamless.__main__ as seamless
import seamless.config as seamlessconfig
import worldservice.__main__ as worldservice
import worldservice.config as worldserviceconfig
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import ensure_service_token, mint_service_token, mint_user_token
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.run import Runtime
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import GatewayClient, client_over, in_chunks, source_node, submission
from tests.support.nats import free_port
from tests.support.shared.stores import lay_store
from tests.support.waiting import eventually
from tests.worldservice.harness import evaluation_at, raising
from tests.worldservice.samples import CLAIMS

SNAPSHOT = datetime(2026, 1, 5, tzinfo=UTC)
COMPOSED: Mapping[str, tuple[Callable[[Runtime, Any], Awaitable[None]], type[ServiceSettings]]] = {
    "worldservice": (worldservice.compose, worldserviceconfig.Settings),
    "dagmanager": (dagmanager.compose, dagmanagerconfig.Settings),
    "brokerage": (brokerage.compose, brokerageconfig.Settings),
    "gateway": (gateway.compose, gatewayconfig.Settings),
    "seamless": (seamless.compose, seamlessconfig.Settings),
}
STARTED = ("worldservice", "dagmanager", "brokerage", "gateway")  # seamless is for tests that need bars


class SuspendableClock(SystemClock):
    """The machine's clocks, plus the time it is told to have slept."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.slept_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.slept_s


class GatewayHarness:
    """The running services, by name; "gateway-2" is a second gateway on the same submissions database."""

    def __init__(self, home: Path, nats_url: str, stack: AsyncExitStack, gateway: Mapping[str, object]) -> None:
        self.home = home
        self.stack = stack
        self.clock = SuspendableClock()
        self.clocks: Callable[[], Clock] | None = None  # of every service that starts from now on
        self.stores: dict[str, str] = {}  # by service, database URLs of those that start from now on
        names = (*COMPOSED, "controlbus")
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in names}
        self.mesh = MeshSettings(home=home, nats_url=nats_url, addresses=self.addresses)
        self._gateway = dict(gateway)
        self._running: dict[str, tuple[Runtime, asyncio.Task[None]]] = {}
        self._places = {name: self.addresses[name] for name in COMPOSED}

    async def start(self, name: str) -> None:
        """Compose a service on its address and wait until it listens."""
        service = name.partition("-")[0]
        self._places.setdefault(name, f"127.0.0.1:{free_port()}")
        compose, cls = COMPOSED[service]
        own = dict(self._gateway) if service == "gateway" else {}
        if service in self.stores:
            own["database_url"] = self.stores[service]
        given = {"service": service, "mesh": self.mesh, "bind": self._places[name], "metrics_port": 0, **own}
        settings = cls.model_validate(given)
        lay_store(settings.database_url, service)
        own_clock = self.clock if service == "gateway" else SystemClock()
        runtime = Runtime(settings, service, self.clocks() if self.clocks else own_clock)
        task = asyncio.ensure_future(runtime.run(_coroutine(compose(runtime, settings))))
        self._running[name] = (runtime, task)
        await eventually(lambda: self._listens(name, task))

    async def start_gateway(self, name: str) -> None:
        """Start a gateway and wait until it has seen its peers: before that it takes no submission and no lease."""
        await self.start(name)
        client = await self.client(at=name)
        await eventually(lambda: gates_hold(client))

    async def stop(self, name: str) -> None:
        """Stop a service as SIGTERM does."""
        runtime, task = self._running.pop(name)
        runtime.stop()
        await task
        await runtime.close()

    async def stop_all(self) -> None:
        for name in reversed(list(self._running)):
            await self.stop(name)

    async def client(
        self, role: Role = Role.OWNER, subject: str = "ann", worlds: Sequence[str] | None = None, at: str = "gateway"
    ) -> GatewayClient:
        """Stubs of a user on a gateway."""
        token = mint_user_token(self.home, role, subject, worlds)
        return client_over(await self.channel(at, token))

    async def channel(self, at: str = "gateway", token: str = "", service: str = "") -> MeshChannel:
        """A channel with a user's token, a service's, or none."""
        as_service = mint_service_token(self.home, service) if service else ""
        channel = connect(
            self._places[at],
            user_token=(lambda: token) if token else None,
            service_token=(lambda: as_service) if as_service else None,
        )
        return await self.stack.enter_async_context(channel)

    def sample(self, name: str, metric: str, **labels: str) -> float | None:
        """What Prometheus would see of a service now."""
        return self._running[name][0].metrics.registry.get_sample_value(metric, labels)

    def mesh_address(self, name: str) -> str:
        """Where a service listens."""
        return self._places[name]

    async def _listens(self, name: str, task: asyncio.Future[None]) -> bool:
        if task.done():
            task.result()
        host, port = self._places[name].split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True


async def _coroutine(work: Awaitable[None]) -> None:
    await work


@asynccontextmanager
async def running_harness(
    home: Path, nats_url: str, clocks: Callable[[], Clock] | None = None, **gateway: object
) -> AsyncIterator[GatewayHarness]:
    """All services up; `gateway` are settings of the gateways, `clocks` makes each service's clock."""
    ensure_dev_keys(home)
    for service in COMPOSED:
        ensure_service_token(home, service)
    async with AsyncExitStack() as stack:
        harness = GatewayHarness(home, nats_url, stack, gateway)
        harness.clocks = clocks
        stack.push_async_callback(harness.stop_all)
        for name in STARTED:
            await (harness.start_gateway(name) if name == "gateway" else harness.start(name))
        yield harness


@asynccontextmanager
async def lone_gateway(home: Path, nats_url: str, **settings: object) -> AsyncIterator[GatewayHarness]:
    """A gateway none of whose peers is there: what it refuses by itself it refuses without them."""
    ensure_dev_keys(home)
    ensure_service_token(home, "gateway")
    async with AsyncExitStack() as stack:
        harness = GatewayHarness(home, nats_url, stack, settings)
        stack.push_async_callback(harness.stop_all)
        await harness.start("gateway")
        yield harness


async def gates_hold(client: GatewayClient) -> bool:
    """Whether the gateway has seen what an order needs."""
    level = (await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())).level
    return level in (gatewaystatuspb.DEGRADATION_LEVEL_NORMAL, gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL)


async def make_world(client: GatewayClient, *presets: str) -> str:
    """A world, without data presets unless named: then nothing of seamless is asked."""
    world_id = f"w-{uuid.uuid4().hex[:12]}"
    await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world_id, data_presets=presets))
    put = policyservicepb.PutPolicyRequest(world_id=world_id, document=CLAIMS, make_default=True)
    await client.policies.PutPolicy(put)
    return world_id


def request_for(world_id: str, symbol: str = "BTC-USD", request_id: str = "") -> strategypb.StrategySubmission:
    """A submission of one source node of its own, on a snapshot it names itself."""
    request = submission(world_id, [source_node(symbol)], request_id)
    request.hints.as_of.FromDatetime(SNAPSHOT)
    return request


async def submitted(client: GatewayClient, world_id: str, symbol: str = "BTC-USD") -> strategypb.Strategy:
    """A strategy that is COMPLETED."""
    strategy = (await client.strategies.SubmitStrategy(in_chunks(request_for(world_id, symbol)))).strategy
    return await settled(client, strategy.strategy_id)


async def settled(client: GatewayClient, strategy_id: str) -> strategypb.Strategy:
    """The strategy once it is settled."""
    last = strategypb.Strategy()
    async for reply in client.strategies.WatchStrategy(
        strategyservicepb.WatchStrategyRequest(strategy_id=strategy_id), timeout=30
    ):
        last = reply.strategy
    return last


async def bound(client: GatewayClient, world_id: str) -> list[str]:
    """Names of the strategies bound to a world."""
    found = (await client.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=world_id))).bindings
    return [one.strategy_id for one in found if one.state == bindingpb.BINDING_STATE_ACTIVE]


async def live_worlds(client: GatewayClient, strategy_id: str) -> list[str]:
    """Worlds whose reference to the strategy's newest plan is not released."""
    plans = (await client.plans.ListPlans(planservicepb.ListPlansRequest(strategy_id=strategy_id))).plans
    return sorted({world for plan in plans for world in plan.live_worlds})


async def trading(client: GatewayClient, world_id: str, *strategies: str) -> None:
    """Strategies that passed and may trade long on paper."""
    for strategy_id in strategies:
        await client.evaluation.Evaluate(evaluation_at(datetime.now(UTC), world_id, strategy_id, f"run-{strategy_id}"))
        await client.activation.SetActivation(raising(world_id, strategy_id))


async def gateway_status(client: GatewayClient) -> gatewaystatuspb.GetStatusResponse:
    return await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())


async def level_is(client: GatewayClient, level: gatewaystatuspb.DegradationLevel) -> bool:
    return (await gateway_status(client)).level == level


async def assignments_of(client: GatewayClient, strategy: strategypb.Strategy) -> list[diffpb.QueueAssignment]:
    """Every queue of a strategy in its first world, page by page."""
    request = strategyservicepb.ListAssignmentsRequest(strategy_id=strategy.strategy_id, world_id=strategy.world_ids[0])
    found: list[diffpb.QueueAssignment] = []
    while True:
        reply = await client.strategies.ListAssignments(request)
        found += reply.assignments
        request.page.page_token = reply.page.next_page_token
        if not request.page.page_token:
            return found
