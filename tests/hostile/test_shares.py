"""One identity that takes all it can get leaves the others theirs (findings 38, 39)."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.auth.tokens import mint_user_token
from tests.hostile.attackers import connections
from tests.mesh.gateway_client import new_world
from tests.mesh.trading_mesh import PRESET, TradingMesh

TRADE_STREAM = "/qmtl.gateway.v1.TradingService/TradeStream"


async def test_streams_of_one_identity(trading: TradingMesh) -> None:
    token = mint_user_token(trading.mesh.home, Role.NONE, "eve")
    refused: list[grpc.StatusCode] = []
    async with connections(trading.mesh.address("gateway"), 4) as channels:
        calls = [
            channels[number % 4].stream_stream(TRADE_STREAM)(metadata=(("authorization", f"Bearer {token}"),))
            for number in range(400)
        ]

        async def ended(call: Any) -> None:
            refused.append(await call.code())

        tasks = [asyncio.create_task(ended(call)) for call in calls]
        try:
            async with asyncio.timeout(30):
                while len(refused) < 400 - 32:  # noqa: ASYNC110 - the ends of calls have no event in common
                    await asyncio.sleep(0.05)
            assert set(refused) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            for number in range(20):
                reply = await trading.submit(trading.order(f"beside-{number}"))
                assert reply.status.state != orderpb.ORDER_STATE_DENIED
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_sessions_of_one_world_leave_room_for_another(trading: TradingMesh) -> None:
    greedy = await new_world(trading.client)

    async def open_session(world: str, name: str) -> None:
        request = datasessionservicepb.OpenDataSessionRequest(session_id=name, world_id=world, preset=PRESET)
        await trading.client.data_sessions.OpenDataSession(request)

    for number in range(8):
        await open_session(greedy, f"{greedy}-{number}")
    for number in range(60):
        with pytest.raises(Exhausted) as caught:
            await open_session(greedy, f"{greedy}-more-{number}")
        assert caught.value.reason == "E_DATA_SESSIONS"
    await open_session(trading.world, f"{trading.world}-another")
