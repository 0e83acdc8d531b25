"""Floods of bodies, streams and sessions at a mesh that trades leave the others theirs (findings 32, 33, 38 to 40)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.auth.tokens import mint_user_token
from tests.hostile.attackers import Attack, attacked, connections, pids, resident_mb, watched
from tests.hostile.siege import BIG, EVALUATE, GET_STRATEGY, metrics
from tests.mesh.gateway_client import new_world
from tests.mesh.trading_mesh import PRESET, TradingMesh

TRADE_STREAM = "/qmtl.gateway.v1.TradingService/TradeStream"
SERVICES = ("gateway", "worldservice", "brokerage")


async def trades_through(
    trading: TradingMesh, *attacks: Attack
) -> tuple[list[dict[grpc.StatusCode, int]], dict[str, float]]:
    """Orders go one after the other while the attacks last: how those ended, and how much memory grew."""
    address = trading.mesh.address("gateway")
    running = pids(trading.mesh, SERVICES)
    quiet = {name: resident_mb(pid) for name, pid in running.items()}
    over, denied, took = asyncio.Event(), [], []

    async def trade() -> None:
        number = 0
        while not over.is_set() or number < 20:
            number += 1
            started = time.monotonic()
            reply = await trading.submit(trading.order(f"o-{time.monotonic_ns()}"))
            took.append(time.monotonic() - started)
            if reply.status.state == orderpb.ORDER_STATE_DENIED:
                denied.append(orderpb.Denial.Name(reply.status.denial))

    async with watched(lambda: {name: resident_mb(pid) for name, pid in running.items()}) as top:
        placing = asyncio.create_task(trade())
        try:
            codes = [dict(await attacked(address, attack)) for attack in attacks]
        finally:
            over.set()
        await placing
    assert denied == []
    return codes, {name: top[name] / quiet[name] for name in running}


async def test_nobodys_bodies_are_not_taken(trading: TradingMesh) -> None:
    (codes,), grew = await trades_through(trading, Attack(GET_STRATEGY, BIG, 600))
    assert codes == {grpc.StatusCode.UNAUTHENTICATED: 600}
    assert max(grew.values()) < 2.0, grew


async def test_bodies_of_who_has_no_role_lapse_no_gate(trading: TradingMesh) -> None:
    token = mint_user_token(trading.mesh.home, Role.NONE, "eve")
    large, largest = metrics(50_000), metrics(700_000)
    assert len(large) < 1024 * 1024 < len(largest)
    found, grew = await trades_through(
        trading, Attack(EVALUATE, largest, 60, token), Attack(EVALUATE, large, 200, token)
    )
    refused = {
        grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
    }  # fmt: skip
    assert {code for codes in found for code in codes} <= refused
    assert max(grew.values()) < 2.0, grew


@pytest.mark.parametrize("token", ["", "none", "broken"])
async def test_undecodable_bodies_have_a_name(trading: TradingMesh, token: str) -> None:
    given = {
        "": "", "none": mint_user_token(trading.mesh.home, Role.NONE, "eve"),
        "broken": "eyJhbGciOiJFZERTQSJ9.W1tbW1tb.AAAA",
    }[token]  # fmt: skip
    want = grpc.StatusCode.INVALID_ARGUMENT if token == "none" else grpc.StatusCode.UNAUTHENTICATED
    address = trading.mesh.address("gateway")
    for method in (GET_STRATEGY, EVALUATE, TRADE_STREAM):
        assert dict(await attacked(address, Attack(method, b"\xff\xff\xff", 20, given))) == {want: 20}, method


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
