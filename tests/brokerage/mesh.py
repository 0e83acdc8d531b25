"""The brokerage of the tests: the real composition or the real process, a feed on a port, channels with tokens."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc

from brokerage.__main__ import compose
from brokerage.config import Settings
from brokerage.domain.orders.order import Order
from brokerage.orders.wire import order_to_proto
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1.account_service_pb2_grpc import AccountServiceStub
from qmtl.broker.v1.fence_service_pb2_grpc import FenceServiceStub
from qmtl.broker.v1.instrument_service_pb2_grpc import InstrumentServiceStub
from qmtl.broker.v1.manual_order_service_pb2_grpc import ManualOrderServiceStub
from qmtl.broker.v1.order_entry_service_pb2_grpc import OrderEntryServiceStub
from qmtl.broker.v1.order_service_pb2_grpc import OrderServiceStub
from qmtl.broker.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from qmtl.broker.v1.position_closing_service_pb2_grpc import PositionClosingServiceStub
from qmtl.broker.v1.replay_service_pb2_grpc import ReplayServiceStub
from qmtl.broker.v1.reported_fill_service_pb2_grpc import ReportedFillServiceStub
from qmtl.broker.v1.status_service_pb2_grpc import StatusServiceStub
from qmtl.broker.v1.venue_service_pb2_grpc import VenueServiceStub
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import ensure_service_token, mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.run import Runtime
from qmtl.rpc.server.server import Server
from tests.brokerage.feed import SESSION, Feed
from tests.support.nats import free_port
from tests.support.processes import ROOT, python_env
from tests.support.shared.stores import lay_store

WAIT_S = 20.0
READY_S = 60.0  # a process starts in two, on a machine with nothing else to do
T = TypeVar("T")


class Mesh:
    """One brokerage with what it needs around it."""

    def __init__(self, home: Path, nats_url: str, stack: AsyncExitStack) -> None:
        ensure_dev_keys(home)
        self.home = home
        self.nats_url = nats_url
        self.stack = stack
        self.feed = Feed()  # type: ignore[abstract]  # planned calls are answered before they reach it
        self.port = free_port()
        self.feed_port = 0
        self.nowhere = free_port()
        self.venues: dict[str, dict[str, Any]] = {}
        self.actions: list[dict[str, str]] = []
        self.database_url = ""

    @property
    def addresses(self) -> Mapping[str, str]:
        return {
            "brokerage": f"127.0.0.1:{self.port}",
            "seamless": f"127.0.0.1:{self.feed_port}",
            "worldservice": f"127.0.0.1:{self.nowhere}",
        }

    async def start_feed(self) -> None:
        settings = ServiceSettings(service="seamless", mesh=MeshSettings(home=self.home), bind="127.0.0.1:0")
        server = Server(
            settings,
            service="seamless",
            authenticator=Authenticator.from_settings(settings, SystemClock()),
            clock=SystemClock(),
        )
        self.feed.serve(server)
        self.feed_port = await server.start()
        self.stack.push_async_callback(server.stop, 0.0)

    async def start(self) -> None:
        """The composition root in this process."""
        mesh = MeshSettings(home=self.home, nats_url=self.nats_url, addresses=self.addresses)
        settings = Settings(mesh=mesh, metrics_port=free_port(), venues=self.venues)  # type: ignore[arg-type]
        ensure_service_token(self.home, "brokerage")
        lay_store(settings.database_url, "brokerage")
        runtime = Runtime(settings, "brokerage")
        running = asyncio.create_task(compose(runtime, settings))
        self.stack.push_async_callback(_stop, runtime, running)
        await self.ready(running)

    async def spawn(self) -> asyncio.subprocess.Process:
        """The real process; the test kills it."""
        environment = {
            **python_env(),
            "QMTL__MESH__HOME": str(self.home),
            "QMTL__MESH__NATS_URL": self.nats_url,
            "QMTL__MESH__ADDRESSES": str(dict(self.addresses)).replace("'", '"'),
            "QMTL__BROKERAGE__METRICS_PORT": str(free_port()),
            "QMTL__BROKERAGE__VENUES": json.dumps(self.venues),
            "QMTL__BROKERAGE__ACTIONS": json.dumps(self.actions),
        }
        if self.database_url:
            environment["QMTL__BROKERAGE__DATABASE_URL"] = self.database_url
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "brokerage", env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )
        self.stack.push_async_callback(_end, process)
        return process

    def client(
        self, *, role: Role | None = Role.OPERATOR, service: str = "gateway", worlds: list[str] | None = None
    ) -> Client:
        """A channel as the gateway's, with a user's token behind it unless told otherwise."""
        token = mint_service_token(self.home, service)
        user = mint_user_token(self.home, role, "alice", worlds) if role is not None else ""
        channel = connect(
            f"127.0.0.1:{self.port}",
            service_token=lambda: token,
            user_token=(lambda: user) if user else None,
        )
        self.stack.push_async_callback(channel.close)
        return Client(channel)

    async def confirmed(self) -> list[int]:
        """How far the paper venue said that it is done with the session's bars, each time it did."""
        return self.feed.confirmed

    async def ready(self, running: asyncio.Task[None] | None = None) -> None:
        """Wait until the port answers."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            async with asyncio.timeout(READY_S):
                await channel.channel_ready()
        assert running is None or not running.done()


class Client:
    """The calls the tests make, with their defaults."""

    def __init__(self, channel: MeshChannel) -> None:
        self.accounts = AccountServiceStub(channel)
        self.entry = OrderEntryServiceStub(channel)
        self.fences = FenceServiceStub(channel)
        self.instruments = InstrumentServiceStub(channel)
        self.orders = OrderServiceStub(channel)
        self.manual = ManualOrderServiceStub(channel)
        self.closings = PositionClosingServiceStub(channel)
        self.portfolios = PortfolioServiceStub(channel)
        self.replays = ReplayServiceStub(channel)
        self.reported_fills = ReportedFillServiceStub(channel)
        self.status = StatusServiceStub(channel)
        self.venue = VenueServiceStub(channel)

    async def open(self, account: str = "acc") -> accountservicepb.OpenPaperAccountResponse:
        request = accountservicepb.OpenPaperAccountRequest(
            account=account, world_id="w1", data_preset="demo", data_session_id=SESSION
        )
        return await self.accounts.OpenPaperAccount(request)

    async def fence(
        self,
        epoch: int,
        state: str = "OPEN",
        mode: str = "PAPER",
        limits: limitspb.RiskLimits | None = None,
        standings: Sequence[str] = ("s1", "s2", "other"),
    ) -> fenceservicepb.SetFenceResponse:
        """Move the fence of w1; those of `standings` may add on both sides."""
        sides = (commonpb.SIDE_LONG, commonpb.SIDE_SHORT)
        return await self.fences.SetFence(
            fenceservicepb.SetFenceRequest(
                world_id="w1",
                fence_epoch=epoch,
                state=f"FENCE_STATE_{state}",
                effective_mode=f"EFFECTIVE_MODE_{mode}",
                limits=limits,
                standings=[fencepb.Standing(strategy_id=who, side=side) for who in standings for side in sides],
            )
        )

    async def submit(
        self, order: Order, epoch: int = 1, domain: str = "DRYRUN"
    ) -> orderentryservicepb.SubmitOrderResponse:
        gate = orderentryservicepb.GateStamp(
            fence_epoch=epoch, weight="1", execution_domain=f"EXECUTION_DOMAIN_{domain}"
        )
        return await self.entry.SubmitOrder(
            orderentryservicepb.SubmitOrderRequest(order=order_to_proto(order), gate=gate)
        )

    async def fills(self, account: str = "acc") -> list[orderpb.Fill]:
        page = commonpb.PageRequest(page_size=1000)
        return list((await self.orders.ListFills(orderservicepb.ListFillsRequest(account=account, page=page))).fills)

    async def portfolio(self, account: str = "acc") -> portfoliopb.Portfolio:
        return (await self.portfolios.GetPortfolio(portfolioservicepb.GetPortfolioRequest(account=account))).portfolio

    async def status_of(self, client_order_id: str) -> orderpb.OrderStatus:
        return (await self.orders.GetOrder(orderservicepb.GetOrderRequest(key=key(client_order_id)))).status

    async def venue_minute(self) -> int:
        """Minutes the venue has processed of the first account's feed."""
        listed = await self.accounts.ListAccounts(accountservicepb.ListAccountsRequest(world_id="w1"))
        return listed.accounts[0].feeds[0].venue_time.seconds // 60


def key(client_order_id: str) -> orderpb.OrderKey:
    return orderpb.OrderKey(account="acc", world_id="w1", strategy_id="s1", client_order_id=client_order_id)


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """Ask until the answer holds; fails after the deadline with the last answer."""
    deadline = time.monotonic() + WAIT_S
    while True:
        answer = await ask()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, f"still {answer}"
        await asyncio.sleep(0.02)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _stop(runtime: Runtime, running: asyncio.Task[None]) -> None:
    runtime.stop()
    await running
    await runtime.close()


@asynccontextmanager
async def running_mesh(home: Path, nats_url: str) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        mesh = Mesh(home, nats_url, stack)
        await mesh.start_feed()
        yield mesh
