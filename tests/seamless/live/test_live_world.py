"""A world on a live feed: current while the exchange makes bars, compute only soon after it stops, and back with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.roles import Role
from qmtl.core.tasks.ending import end
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import session_pb2 as sessionpb
from tests.exchange.core.exchange import now_ms
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import Market, market
from tests.mesh.gateway_client import GatewayClient, open_gateway_client
from tests.mesh.live.live_world import LIVE, MAX_LAG_S, PRESET, approved_world, followed, raised, running
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

TICK_S = 0.2  # between what the exchange's websocket tells
COMPUTE_ONLY = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
SECOND_NS = 1_000_000_000


@dataclass
class LiveWorld:
    """A mesh that follows the local exchange, and a world on it with one approved strategy."""

    client: GatewayClient
    market: Market
    world: str

    async def decision(self) -> decisionpb.DecisionEnvelope:
        request = evaluationservicepb.DecideRequest(world_id=self.world)
        return (await self.client.evaluation.Decide(request)).decision

    async def is_live(self) -> bool:
        return (await self.decision()).effective_mode == LIVE

    async def is_stopped(self) -> bool:
        decided = await self.decision()
        stale = decisionpb.DECISION_REASON_DATA_STALE in decided.reasons
        return decided.effective_mode == COMPUTE_ONLY and stale

    async def enter(self) -> sessionpb.Session:
        """Raise the strategy to paper; the session that opens."""
        (session,) = (await raised(self.client, self.world)).sessions
        return session

    async def session(self) -> sessionpb.Session:
        asked = activationservicepb.GetActivationRequest(world_id=self.world)
        (session,) = (await self.client.activation.GetActivation(asked)).activation.sessions
        return session


@asynccontextmanager
async def live_world(folder: Path, follow: str) -> AsyncIterator[LiveWorld]:
    """A world on the local exchange's seconds, asked for or told by websocket, until the block ends."""
    first_ms = now_ms() // 1_000 * 1_000 - 60_000
    async with market(first_ms=first_ms, interval_ms=1_000) as there:
        config = folder / "qmtl.toml"
        config.write_text(followed(there.address, follow))
        telling = asyncio.create_task(tell(there))
        try:
            async with (
                running(Mesh(laid_plan(folder / "home", config))) as mesh,
                open_gateway_client(mesh.address("gateway"), mesh.home, role=Role.OWNER) as client,
            ):
                yield LiveWorld(client, there, await approved_world(client))
        finally:
            await end(telling)


async def tell(there: Market) -> None:
    """What the exchange's websocket tells, as time goes on."""
    while True:
        there.told.klines.tick()
        await asyncio.sleep(TICK_S)


@pytest.mark.parametrize(("follow", "bars"), [pytest.param("poll", 15, marks=pytest.mark.soak), ("stream", 12)])
@pytest.mark.soak
async def test_a_live_world_stays_live_stops_with_its_exchange_and_comes_back(
    follow: str, bars: int, tmp_path: Path
) -> None:
    async with live_world(tmp_path, follow) as live:
        await stays_stops_and_comes_back(live, bars)
        assert (live.market.told.klines.connections > 0) == (follow == "stream")


@pytest.mark.soak
@pytest.mark.timeout(420)
@pytest.mark.parametrize("follow", ["poll", "stream"])
async def test_a_live_world_of_180_bars(follow: str, tmp_path: Path) -> None:
    async with live_world(tmp_path, follow) as live:
        await stays_stops_and_comes_back(live, 180)


async def stays_stops_and_comes_back(live: LiveWorld, bars: int) -> None:
    """Hear so many bars without one decision that is not LIVE, then stop the exchange and let it go on."""
    await eventually(live.is_live, 30.0)
    session = await live.enter()
    opened = await live.client.data_sessions.OpenDataSession(
        datasessionservicepb.OpenDataSessionRequest(
            session_id=session.session_id, world_id=live.world, preset=PRESET, start_time=session.start
        )
    )
    assert opened.session.preset == PRESET
    opens: list[int] = []
    request = dataservicepb.SubscribeRequest(dataset=PRESET, session_id=session.session_id)
    call = live.client.data.Subscribe(request)
    async for reply in call:
        for bar in reply.bars:
            opens.append(ns_from_proto(bar.open_time, "open_time"))
            assert ns_from_proto(bar.close_time, "close_time") <= now_ms() * 1_000_000
        if len(opens) == 10:  # and what a bar missed comes before the next
            troubles = Trouble.CUT_BEFORE, Trouble.CUT_BEFORE, Trouble.BROKEN_BEFORE
            live.market.exchange.faults.plan("GET klines", *troubles)
            live.market.told.klines.cut()
        assert await live.is_live()
        if len(opens) >= bars:
            break
    call.cancel()
    assert all(later - earlier == SECOND_NS for earlier, later in pairwise(opens))
    assert (await live.session()).watermark.ToDatetime(UTC) > session.start.ToDatetime(UTC)

    live.market.tape.halt()
    stopped = now_ms()
    await eventually(live.is_stopped, 30.0)
    assert now_ms() - stopped >= (MAX_LAG_S - 1) * 1_000
    live.market.tape.resume()
    await eventually(live.is_live, 30.0)
