"""Streams on which nothing moves: idle traders, who reads nothing, who vanished. The gateway lets each go, in time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest
from grpc import aio

from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from tests.gateway.harness import GatewayHarness, lone_gateway, make_world
from tests.mesh.gateway_client import GatewayClient, client_over
from tests.support.forwarding import forwarding
from tests.support.logbook import lines, logged
from tests.support.waiting import eventually

STRATEGY = eventpb.TOPIC_STRATEGY
TRADE = "/qmtl.gateway.v1.TradingService/TradeStream"
VANISHED_S = 100.0  # a minute of silence, 20 s to answer, and a slow machine


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What the gateway logs, at DEBUG."""
    with logged() as stream:
        yield stream


async def test_trade_stream_on_which_nothing_moves_is_ended_and_any_message_keeps_it(
    tmp_path: Path, nats_url: str
) -> None:
    idle_s = 2.0
    async with lone_gateway(tmp_path, nats_url, trade_idle_s=idle_s) as harness:
        ann, clock = await harness.client(), asyncio.get_running_loop()
        begun = clock.time()
        with scoped(ann.trading.TradeStream()) as call:
            while clock.time() < begun + 1.5 * idle_s:
                await call.write(tradingservicepb.TradeStreamRequest(correlation_id="still here"))
                reply = await call.read()
                assert isinstance(reply, tradingservicepb.TradeStreamResponse)
                assert reply.correlation_id == "still here"
                await asyncio.sleep(idle_s / 8)  # the client's pace
            silent_since = clock.time()
            with pytest.raises(Unavailable) as ended:
                await call.read()
        assert ended.value.reason == "E_TRADE_IDLE"
        assert clock.time() - silent_since < 3 * idle_s


def trading_tasks() -> list[str]:
    """What is under way for trade streams in this process, whose gateway runs in it."""
    under_way = [task.get_coro() for task in asyncio.all_tasks()]
    names = [coroutine.__qualname__ for coroutine in under_way if isinstance(coroutine, CoroutineType)]
    return [name for name in names if name.startswith("TradeCall.")]


async def test_trader_who_reads_nothing_is_cut_off_and_leaves_nothing_behind(
    tmp_path: Path, nats_url: str, out: io.StringIO
) -> None:
    async with lone_gateway(tmp_path, nats_url, subscriber_write_s=0.5) as harness:
        ann = await harness.client()
        with scoped(ann.trading.TradeStream()) as call:

            async def ask() -> None:
                """Many more acts than connection, queue and places together hold answers of."""
                for _ in range(4_000):
                    await call.write(tradingservicepb.TradeStreamRequest(correlation_id="c" * 1024))

            asking = asyncio.create_task(ask())
            try:
                await eventually(lambda: ended_with(out) != "")
                await eventually(lambda: not trading_tasks())
                with pytest.raises(QmtlError):  # for a call cut while it writes, grpc has words of its own
                    await drain(call)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        assert ended_with(out) in ("RESOURCE_EXHAUSTED", "CANCELLED")
        assert "unmapped_error" not in out.getvalue()


async def drain(call: aio.StreamStreamCall[Any, Any]) -> None:
    """Read all that is left."""
    async with asyncio.timeout(10):
        while await call.read() is not aio.EOF:
            pass


def ended_with(out: io.StringIO) -> str:
    """The code a trade stream ended with, empty while it goes on."""
    return next((str(line["code"]) for line in lines(out) if line.get("method") == TRADE), "")


async def test_subscriber_who_reads_nothing_is_gone_when_its_token_lapses(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=[STRATEGY])
    token = (await ann.events.CreateEventStream(request)).stream.stream_token
    with scoped(ann.events.SubscribeEvents(eventservicepb.SubscribeEventsRequest(), metadata=bearer(token))):
        await eventually(lambda: subscribers(ann, 1))
        harness.clock.slept_s = 310
        await eventually(lambda: subscribers(ann, 0))


async def subscribers(client: GatewayClient, count: int) -> bool:
    status = await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())
    return status.event_subscribers == count


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_streams_of_a_machine_that_vanished_are_let_go_on_both_sides(
    harness: GatewayHarness, out: io.StringIO
) -> None:
    ann, token = await harness.client(), mint_user_token(harness.home, Role.OWNER, "ann")
    world = await make_world(ann)
    request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=[STRATEGY])
    stream = (await ann.events.CreateEventStream(request)).stream.stream_token
    async with (
        forwarding(harness.mesh_address("gateway")) as wire,
        connect(wire.address, user_token=lambda: token) as channel,
    ):
        far = client_over(channel)
        events = far.events.SubscribeEvents(eventservicepb.SubscribeEventsRequest(), metadata=bearer(stream))
        trading = far.trading.TradeStream()
        with scoped(events), scoped(trading):
            await events.read()
            await trading.write(tradingservicepb.TradeStreamRequest(correlation_id="here"))
            await trading.read()
            wire.hold()
            async with asyncio.timeout(VANISHED_S):
                with pytest.raises(Unavailable):
                    await trading.read()
                await eventually(lambda: ended_with(out) != "", VANISHED_S)
                await eventually(lambda: subscribers(ann, 0), VANISHED_S)
