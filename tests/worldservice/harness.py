"""A worldservice as it runs: real gRPC on loopback, real NATS, a real store, a manual clock; and a brokerage peer.

The peer speaks the wire and keeps the rule of epochs; it records every SetFence and can be taken away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import MeshSettings
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import NotReady, QmtlError
from qmtl.core.roles import Role
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.rpc.auth.call import require_stated
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import ensure_service_token, mint_service_token, mint_user_token
from qmtl.rpc.chunks import gathered
from qmtl.rpc.client.channel import connect
from qmtl.rpc.run import Runtime
from qmtl.sql.database import Database
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.nats import free_port
from tests.support.shared.stores import lay_store
from tests.support.world_stubs import WorldStubs
from tests.worldservice.accounts import Accounts
from tests.worldservice.closings.peer import Closings
from tests.worldservice.samples import CLAIMS, DOCUMENT, GOOD, list_chunks, order_list
from tests.worldservice.worlds.presets import Catalogue
from worldservice.__main__ import compose
from worldservice.config import Settings

WAIT_S = 15.0
LONG, SHORT = commonpb.SIDE_LONG, commonpb.SIDE_SHORT
PAPER, COMPUTE_ONLY = commonpb.EFFECTIVE_MODE_PAPER, commonpb.EFFECTIVE_MODE_COMPUTE_ONLY


class Brokerage(fencerpc.FenceServiceServicer):
    """Takes a fence iff its epoch is above the stored one, or equal with equal content."""

    def __init__(self) -> None:
        self.fences: dict[str, fencepb.Fence] = {}
        self.asked: list[fenceservicepb.SetFenceRequest] = []
        self.on_the_wire: list[fencepb.WireIntent] = []
        self.held: list[orderpb.OrderKey] = []
        self.unprotected: list[fencepb.UnprotectedPosition] = []
        self.unlisted = 0  # on the wire and held, each, beside those that a reply has room for
        self.answering = asyncio.Event()
        self.answering.set()

    async def SetFence(
        self, request: fenceservicepb.SetFenceRequest, context: object
    ) -> fenceservicepb.SetFenceResponse:
        self.asked.append(request)
        await self.answering.wait()
        wanted = fencepb.Fence(
            world_id=request.world_id,
            fence_epoch=request.fence_epoch,
            state=request.state,
            effective_mode=request.effective_mode,
        )
        if request.HasField("limits"):
            wanted.limits.CopyFrom(request.limits)
        wanted.standings.extend(request.standings)
        stored = self.fences.get(request.world_id, fencepb.Fence(world_id=request.world_id))
        if request.fence_epoch < stored.fence_epoch or (request.fence_epoch == stored.fence_epoch and wanted != stored):
            raise NotReady("E_STALE_EPOCH", "the epoch is old", metadata={"epoch": str(stored.fence_epoch)})
        self.fences[request.world_id] = wanted
        return fenceservicepb.SetFenceResponse(
            fence=wanted,
            on_the_wire=self.on_the_wire,
            held=self.held,
            on_the_wire_total=len(self.on_the_wire) + self.unlisted,
            held_total=len(self.held) + self.unlisted,
            unprotected=self.unprotected,
            unprotected_total=len(self.unprotected),
        )

    async def GetFence(
        self, request: fenceservicepb.GetFenceRequest, context: object
    ) -> fenceservicepb.GetFenceResponse:
        fence = self.fences.get(request.world_id, fencepb.Fence())
        return fenceservicepb.GetFenceResponse(
            fence=fence,
            held=self.held,
            held_total=len(self.held) + self.unlisted,
            unprotected=self.unprotected,
            unprotected_total=len(self.unprotected) + self.unlisted,
        )

    def state(self, world_id: str) -> tuple[int, str]:
        fence = self.fences.get(world_id, fencepb.Fence())
        return fence.fence_epoch, fencepb.FenceState.Name(fence.state).removeprefix("FENCE_STATE_")


class Replays(replayrpc.ReplayServiceServicer):
    """Answers every list and all books with one curve of daily closes, or with an error; keeps what was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.asked: list[replaypb.OrderReplay] = []
        self.books: list[replayservicepb.ReplayBooksRequest] = []
        self.error: QmtlError | None = None
        self.cut = False
        self.orders: list[replaypb.BookedOrder] = []  # of books, before everything else
        self.two_sides: Callable[..., list[replayservicepb.ReplayOrdersResponse]] | None = None  # in place of the curve
        self.said: list[replayservicepb.ReplayOrdersResponse] = []  # before everything else
        self.preset = "demo.btc.15m"
        self.days_before = 0
        self.answering = asyncio.Event()
        self.answering.set()

    async def ReplayOrders(
        self, request_iterator: AsyncIterator[replayservicepb.ReplayOrdersRequest], context: object
    ) -> AsyncIterator[replayservicepb.ReplayOrdersResponse]:
        self.asked.append(await gathered(request_iterator, require_stated(), replaypb.OrderReplay))
        async for part in self._parts(live=False):
            yield part

    async def ReplayBooks(
        self, request: replayservicepb.ReplayBooksRequest, context: object
    ) -> AsyncIterator[replayservicepb.ReplayBooksResponse]:
        self.books.append(request)
        if request.own_terms:
            yield replayservicepb.ReplayBooksResponse(orders=self.orders)
        async for part in self._parts(live=True):
            yield replayservicepb.ReplayBooksResponse(part=part)

    async def _parts(self, *, live: bool) -> AsyncIterator[replayservicepb.ReplayOrdersResponse]:
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        if self.two_sides is not None:
            for part in self.two_sides(live=live):
                yield part
            return
        for part in self.said:
            yield part
        end = self._clock.now() - timedelta(minutes=1)
        times = [end - timedelta(days=89 - day) for day in range(90)]
        equity = [Decimal(100_000 + 700 * day - 250 * (day % 2)) for day in range(90)]
        table = pa.table(
            {
                "close_time": pa.array(times, type=pa.timestamp("ns", "UTC")),
                "equity": pa.array(equity, type=pa.decimal128(38, 2)),
            }
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        won = replaypb.ReplayedTrade(symbol="BTC-USD", closed_at=stamp(end), profit="100.5")
        yield replayservicepb.ReplayOrdersResponse(trades=replaypb.ReplayedTrades(trades=[won]))
        yield replayservicepb.ReplayOrdersResponse(equity_arrow=bytes(sink.getvalue().to_pybytes()))
        if self.cut:
            return
        instrument = replaypb.ReplayedInstrument(
            symbol="BTC-USD", data_preset=self.preset, multiplier="1", coverage_ratio=0.97,
            first_open=stamp(end - timedelta(days=90 + self.days_before)), last_close=stamp(end),
        )  # fmt: skip
        terms = replaypb.ReplayedTerms(
            maker_fee_rate="0.001", taker_fee_rate="0.001", slippage_rate="0", participation="0.1"
        )
        summary = replaypb.ReplaySummary(
            equity="162050", base_currency="USD", equity_count=90, invested_count=45, instruments=[instrument],
            terms=terms,
        )  # fmt: skip
        yield replayservicepb.ReplayOrdersResponse(summary=summary)


class WorldHarness:
    """One running worldservice and the means to talk to it."""

    def __init__(self, home: Path, nats_url: str, clock: VirtualClock, stack: AsyncExitStack) -> None:
        self.home = home
        self.clock = clock
        self.stack = stack
        self.brokerage = Brokerage()
        self.replays = Replays(clock)
        self.closings = Closings()
        self.accounts = Accounts()  # type: ignore[abstract]  # nothing else is asked of it
        names = ("worldservice", "brokerage", "seamless")
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in names}
        self.mesh = MeshSettings(home=home, nats_url=nats_url, addresses=self.addresses)
        self._running: tuple[Runtime, asyncio.Task[None]] | None = None
        self._peer: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        settings = Settings(service="worldservice", mesh=self.mesh, metrics_port=0)
        lay_store(settings.database_url, "worldservice")
        runtime = Runtime(settings, "worldservice", self.clock)
        task = asyncio.create_task(compose(runtime, settings))
        self._running = (runtime, task)
        await eventually(lambda: self._answers(task))

    async def stop(self) -> None:
        if self._running is not None:
            runtime, task = self._running
            self._running = None
            runtime.stop()
            await task
            await runtime.close()

    async def start_brokerage(self) -> None:
        server = Runtime(Settings(service="brokerage", mesh=self.mesh), "brokerage", self.clock).server()
        descriptor = fenceservicepb.DESCRIPTOR.services_by_name["FenceService"]
        server.add(fencerpc.add_FenceServiceServicer_to_server, self.brokerage, descriptor)
        replays = replayservicepb.DESCRIPTOR.services_by_name["ReplayService"]
        server.add(replayrpc.add_ReplayServiceServicer_to_server, self.replays, replays)
        self.closings.add(server)
        self.accounts.add(server)
        await server.start()
        self._peer = lambda: server.stop(0.0)

    async def start_seamless(self) -> None:
        server = Runtime(Settings(service="seamless", mesh=self.mesh), "seamless", self.clock).server()
        descriptor = catalogueservicepb.DESCRIPTOR.services_by_name["CatalogueService"]
        catalogue = Catalogue()  # type: ignore[abstract]  # nothing else is asked of it
        unused = dict.fromkeys(
            ("ListDatasets", "ListPresets", "GetConformanceReport"), "nobody: a seamless of the tests"
        )
        server.add(cataloguerpc.add_CatalogueServiceServicer_to_server, catalogue, descriptor, unused)
        await server.start()
        self.stack.push_async_callback(server.stop, 0.0)

    async def fill(self, work: Callable[[Connection], None]) -> None:
        """Write rows past the service, into the store that it runs on."""
        settings = Settings(service="worldservice", mesh=self.mesh)
        db = Database(settings.database_url)
        try:
            await db.write(work)
        finally:
            await db.close()

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric of the running service; None: it was never counted."""
        assert self._running is not None
        return self._running[0].metrics.registry.get_sample_value(name, labels)

    async def stop_brokerage(self) -> None:
        if self._peer is not None:
            await self._peer()
            self._peer = None

    async def stub(self, role: Role = Role.OWNER, subject: str = "ann", worlds: list[str] | None = None) -> WorldStubs:
        """As the gateway forwards a user."""
        token = mint_user_token(self.home, role, subject, worlds, clock=self.clock)
        return await self._stub(lambda: token)

    async def gateway(self, name: str = "gateway") -> WorldStubs:
        """As a service for itself."""
        return await self._stub(None, name)

    async def _stub(self, user: Callable[[], str] | None, name: str = "gateway") -> WorldStubs:
        service = mint_service_token(self.home, name, clock=self.clock)
        channel = connect(self.addresses["worldservice"], user_token=user, service_token=lambda: service)
        return WorldStubs(await self.stack.enter_async_context(channel))

    async def _answers(self, task: asyncio.Task[None]) -> bool:
        if task.done():
            task.result()
        host, port = self.addresses["worldservice"].split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True


@asynccontextmanager
async def running_harness(home: Path, nats_url: str, accounts: Accounts | None = None) -> AsyncIterator[WorldHarness]:
    """`accounts`: what brokerage answers about accounts."""
    ensure_dev_keys(home)
    for service in ("worldservice", "brokerage", "seamless"):
        ensure_service_token(home, service)
    async with AsyncExitStack() as stack:
        harness = WorldHarness(home, nats_url, VirtualClock(datetime.now(UTC).replace(microsecond=0)), stack)
        harness.accounts = accounts or harness.accounts
        stack.push_async_callback(harness.stop_brokerage)
        stack.push_async_callback(harness.stop)
        await harness.start_brokerage()
        await harness.start_seamless()
        await harness.start()
        yield harness


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float = WAIT_S) -> None:
    """Await a condition with a deadline of real time."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


def stamp(instant: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(instant)
    return message


async def make_world(
    harness: WorldHarness, world_id: str, *, document: str = CLAIMS, presets: tuple[str, ...] = ()
) -> WorldStubs:
    """A world with a policy, owned by ann."""
    ann = await harness.stub()
    await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world_id, data_presets=presets))
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id=world_id, document=document, make_default=True)
    )
    return ann


def evaluation(
    harness: WorldHarness, world_id: str, strategy_id: str, run_id: str = "run-1", **changes: float
) -> evaluationservicepb.EvaluateRequest:
    """The good numbers with changes; the data ends a minute ago."""
    return evaluation_at(harness.clock.now(), world_id, strategy_id, run_id, **changes)


def evaluation_at(
    now: datetime, world_id: str, strategy_id: str, run_id: str = "run-1", **changes: float
) -> evaluationservicepb.EvaluateRequest:
    """As `evaluation`, at an instant."""
    return evaluationservicepb.EvaluateRequest(
        world_id=world_id,
        strategy_id=strategy_id,
        run_id=run_id,
        stage=bindingpb.STAGE_BACKTEST,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in {**GOOD, **changes}.items()],
        dataset_fingerprint="blake3:data",
        data_start=stamp(now - timedelta(days=90)),
        data_end=stamp(now - timedelta(minutes=1)),
        coverage_ratio=0.97,
    )


def raising(world_id: str, strategy_id: str, side: commonpb.Side = LONG) -> activationservicepb.SetActivationRequest:
    """Raise one strategy to paper."""
    change = activationpb.ActivationChange(strategy_id=strategy_id, side=side, active=True, stage=bindingpb.STAGE_PAPER)
    return activationservicepb.SetActivationRequest(world_id=world_id, changes=[change], message="a test")


async def replayed(
    harness: WorldHarness, ann: WorldStubs, strategy_id: str, run_id: str = "run-1", **claims: float
) -> evaluationpb.EvaluationRun:
    """Evaluate a strategy of w1 by a replay of its order list."""
    listed = await ann.evaluation.PutOrderList(list_chunks(order_list("w1", strategy_id)))
    request = evaluation(harness, "w1", strategy_id, run_id, **claims)
    request.order_list = listed.order_list
    return (await ann.evaluation.Evaluate(request)).run


async def make_trading(
    harness: WorldHarness, world_id: str, *strategies: str, presets: tuple[str, ...] = (), by_replay: bool = False
) -> WorldStubs:
    """A world whose strategies passed and are in paper; `by_replay`: by what may also go live, over live data."""
    if by_replay:
        harness.replays.preset, presets = "live", presets or ("live",)
    ann = await make_world(harness, world_id, document=DOCUMENT if by_replay else CLAIMS, presets=presets)
    for strategy_id in strategies:
        await ann.bindings.BindStrategy(
            bindingservicepb.BindStrategyRequest(world_id=world_id, strategy_id=strategy_id)
        )
        if by_replay:
            await replayed(harness, ann, strategy_id)
        else:
            await ann.evaluation.Evaluate(evaluation(harness, world_id, strategy_id))
        await ann.activation.SetActivation(raising(world_id, strategy_id))
    return ann
