"""A trading mesh over a far venue whose bars come only when the test lets them, and brokerage's own records of it."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from brokerage import schema as t
from brokerage.domain.models.latency import Link
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Owner, order_id
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import store as fences_store
from brokerage.venues.dispatch.emulation import HELD
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.errors import QmtlError
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from tests.mesh.gateway_client import GatewayClient
from tests.mesh.trading_mesh import PRESET, TradingMesh
from tests.support.waiting import eventually

PACE = "pace"
LOSES_HALF = Link(answer_loss=RATE_ONE // 2)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Brokerage's store at one instant: the fence, and what the venue has."""

    epoch: int
    state: FenceState
    venue: frozenset[str]


class Records:
    """What brokerage has written about one world, read behind its back."""

    def __init__(self, home: Path, world: str) -> None:
        path = home / "state" / "brokerage.db"
        self._engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", isolation_level="AUTOCOMMIT")
        self._world = world
        self.seen: list[Snapshot] = []

    def close(self) -> None:
        self._engine.dispose()

    async def watched(self) -> None:
        """For ever: every state of fence and venue that stood for a moment."""
        while True:
            now = self._snapshot()
            if not self.seen or self.seen[-1] != now:
                self.seen.append(now)
            await asyncio.sleep(0.01)

    def on_the_wire_under(self) -> set[int]:
        """The epochs under which anything was put on the wire."""
        intents = t.send_intents.c
        query = sa.select(intents.epoch).where(intents.world_id == self._world, intents.wire_ns.is_not(None))
        with self._engine.connect() as conn:
            return set(conn.execute(query).scalars())

    def kinds(self, identity: str) -> list[str]:
        """The events of an order."""
        events = t.order_events.c
        query = sa.select(events.kind).where(events.order_id == identity).order_by(events.seq)
        with self._engine.connect() as conn:
            return list(conn.execute(query).scalars())

    def venue(self) -> frozenset[str]:
        return self._snapshot().venue

    def _snapshot(self) -> Snapshot:
        has = sa.select(t.venue_orders.c.venue_order_id).where(t.venue_orders.c.account == self._world)
        with self._engine.connect() as conn:
            conn.exec_driver_sql("BEGIN")  # both reads see the same commit
            found = fences_store.load_fence(conn, self._world)
            venue = frozenset(conn.execute(has).scalars())
            conn.exec_driver_sql("COMMIT")
        assert found is not None
        return Snapshot(found[0].epoch, found[0].state, venue)


class PacedTradingMesh(TradingMesh):
    """A trading mesh whose bars come one by one, when they are asked for."""

    def __init__(self, mesh: Mesh, clients: dict[str, GatewayClient]) -> None:
        super().__init__(mesh, clients)
        self.shown = 0
        self.peeked: list[barspb.Bar] = []

    @property
    def scope(self) -> Owner:
        return Owner(self.world, self.world, self.strategy_id)

    def identity(self, name: str) -> str:
        return order_id(self.scope, name)

    def named(self, stem: str, *, lost: bool) -> str:
        """A client order id whose answer the link loses, or does not."""
        names = (f"{stem}-{number}" for number in itertools.count())
        return next(name for name in names if LOSES_HALF.loses_answer(self.identity(name)) == lost)

    def loses_cancel(self, name: str) -> bool:
        """Whether the link loses the answer to an order's cancel."""
        return LOSES_HALF.loses_answer(f"{self.identity(name)}/{VenueAct.CANCEL.value}")

    async def open(self) -> None:
        """Trade on paper, with the first bar shown and the coming ones known to the test."""
        await self.prepare(followers=[PACE])
        await self._peek()
        await eventually(self._shown_beyond(0), 30.0)
        self.shown = 1

    async def step(self) -> None:
        """Let the next bar come, and wait until the venue has shown it."""
        session = datasessionservicepb.GetDataSessionRequest(session_id=self.session_id)
        mark = (await self.client.data_sessions.GetDataSession(session)).session.watermark
        await self.client.data_sessions.ConfirmBars(
            datasessionservicepb.ConfirmBarsRequest(session_id=self.session_id, follower=PACE, through=mark)
        )
        await eventually(self._shown_beyond(mark.ToNanoseconds()), 30.0)
        self.shown += 1

    async def until_held(self, name: str) -> None:
        """A stop was reached and waits for the fence."""

        async def held() -> bool:
            try:
                status = await self.status(name)
            except QmtlError:  # brokerage is being restarted
                return False
            return status.state == orderpb.ORDER_STATE_EMULATED and status.message == HELD

        await eventually(held, 30.0)

    async def is_confirmed(self, run_id: str) -> bool:
        """Whether brokerage has committed a run's freeze, and worldservice has heard so."""
        run = await self.run(run_id)
        return run is not None and run.fence_confirmed

    def _shown_beyond(self, time_ns: int) -> Callable[[], Awaitable[bool]]:
        async def beyond() -> bool:
            try:
                reply = await self.client.portfolios.GetPortfolio(
                    portfolioservicepb.GetPortfolioRequest(account=self.world)
                )
            except QmtlError:  # brokerage is being restarted
                return False
            return reply.portfolio.time.ToNanoseconds() > time_ns

        return beyond

    async def _peek(self) -> None:
        """The bars to come, as another session over the same data plays them."""
        mine = datasessionservicepb.GetDataSessionRequest(session_id=self.session_id)
        start = (await self.client.data_sessions.GetDataSession(mine)).session.start_time
        other = f"peek-{uuid.uuid4().hex}"
        await self.client.data_sessions.OpenDataSession(
            datasessionservicepb.OpenDataSessionRequest(
                session_id=other, world_id=self.world, preset=PRESET, start_time=start
            )
        )
        call = self.client.data.Subscribe(dataservicepb.SubscribeRequest(dataset=PRESET, session_id=other))
        try:
            async for answer in call:
                self.peeked += answer.bars
                if len(self.peeked) >= 50:
                    return
        finally:
            call.cancel()
