"""Orders and fills of a real paper account through the gateway: one trade stream, and the fills read again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.orders.fills import FILLS_PER_MESSAGE
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.errors import Conflict, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.gateway.events.test_service import created, following
from tests.gateway.harness import GatewayHarness, make_world, submitted, trading
from tests.gateway.orders.test_service import reply_of
from tests.mesh.gateway_client import GatewayClient

PRESET = "demo.btc.15m"


async def account_of(harness: GatewayHarness, client: GatewayClient) -> tuple[str, str, str]:
    """World, strategy and paper account, all open."""
    await harness.start("seamless")
    world = await make_world(client, PRESET)
    strategy_id = (await submitted(client, world)).strategy_id
    await trading(client, world, strategy_id)
    activation = await client.activation.GetActivation(activationservicepb.GetActivationRequest(world_id=world))
    opened = accountservicepb.OpenPaperAccountRequest(
        account=f"a-{world}", world_id=world, data_preset=PRESET,
        data_session_id=activation.activation.sessions[0].session_id,
    )  # fmt: skip
    return world, strategy_id, (await client.accounts.OpenPaperAccount(opened)).account.account


async def replayed(client: GatewayClient, account: str, after: int, world_id: str = "") -> list[int]:
    request = tradingservicepb.ReplayFillsRequest(account=account, after_account_fill_number=after, world_id=world_id)
    return [fill.account_fill_number async for reply in client.trading.ReplayFills(request) for fill in reply.fills]


async def test_reported_fills_are_booked_once_and_replayed_from_a_place(harness: GatewayHarness) -> None:
    ann, eve = await harness.client(), await harness.client(Role.OWNER, "eve", ["w-other"])
    world, strategy_id, account = await account_of(harness, ann)
    assert await replayed(ann, account, 0) == []
    await ann.trading.SubmitOrder(tradingservicepb.SubmitOrderRequest(order=market_order(world, strategy_id, account)))
    key = orderpb.OrderKey(account=account, world_id=world, strategy_id=strategy_id, client_order_id="o-1")
    fills = [reported(key, f"t-{number}") for number in range(FILLS_PER_MESSAGE + 2)]
    told = await ann.trading.ReportFills(reports(*fills, fills[0]))
    assert (told.booked, told.duplicates) == (FILLS_PER_MESSAGE + 2, 1)
    assert await replayed(ann, account, 0) == list(range(1, FILLS_PER_MESSAGE + 3))
    assert await replayed(ann, account, FILLS_PER_MESSAGE) == [FILLS_PER_MESSAGE + 1, FILLS_PER_MESSAGE + 2]
    assert await replayed(ann, account, 10_000) == []
    assert await replayed(ann, account, FILLS_PER_MESSAGE + 1, world) == [FILLS_PER_MESSAGE + 2]
    for name, world_id, reason in (
        (account, "", "WORLD_FORBIDDEN"),
        ("none", "", "ACCOUNT"),
        (account, "w-b", "ACCOUNT"),
    ):
        with pytest.raises((NotFound, PermissionDenied), match=reason):
            await replayed(eve, name, 0, world_id)
    with pytest.raises(PermissionDenied):
        await eve.trading.ReportFills(reports(fills[0]))
    fills[0].quantity = "0.002"
    with pytest.raises(Conflict):
        await ann.trading.ReportFills(reports(fills[0]))


def reported(key: orderpb.OrderKey, trade_id: str) -> reportedfillservicepb.ReportedFill:
    fill = reportedfillservicepb.ReportedFill(
        key=key, symbol="BTC-USD", venue="paper", side=orderpb.ORDER_SIDE_BUY, trade_id=trade_id, quantity="0.0001",
        price="100", fee="0.25", fee_currency="USD", liquidity_side=orderpb.LIQUIDITY_SIDE_TAKER,
    )  # fmt: skip
    fill.venue_time.FromDatetime(datetime(2026, 1, 5, tzinfo=UTC))
    return fill


async def reports(*fills: reportedfillservicepb.ReportedFill) -> AsyncIterator[tradingservicepb.ReportFillsRequest]:
    for fill in fills:
        yield tradingservicepb.ReportFillsRequest(fill=fill)


def market_order(world: str, strategy_id: str, account: str) -> orderpb.Order:
    return orderpb.Order(
        account=account, world_id=world, strategy_id=strategy_id, client_order_id="o-1", symbol="BTC-USD",
        side=orderpb.ORDER_SIDE_BUY, type=orderpb.ORDER_TYPE_MARKET, quantity="0.1",
        time_in_force=orderpb.TIME_IN_FORCE_GTC,
    )  # fmt: skip


async def test_order_on_a_trade_stream_is_answered_and_its_events_come_there_and_on_the_event_stream(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    world, strategy_id, account = await account_of(harness, ann)
    order = market_order(world, strategy_id, account)
    token = await created(ann, world, eventpb.TOPIC_ORDERS)
    call = ann.trading.TradeStream(timeout=20)
    async with following(ann, token) as frames:
        assert (await anext(frames)).snapshot.orders == []
        assert (await anext(frames)).HasField("bookmark")
        with scoped(call):
            await call.write(tradingservicepb.TradeStreamRequest(correlation_id="one", submit=order))
            answers, events = list[tradingservicepb.TradeStreamResponse](), list[orderpb.OrderEvent]()
            while not (answers and events):  # the order of both is open, and a fill may come before the answer
                reply = await reply_of(call)
                if reply.HasField("event"):
                    events.append(reply.event)
                else:
                    answers.append(reply)
        frame = await anext(frames)
    assert [reply.correlation_id for reply in answers] == ["one"]
    assert {event.client_order_id for event in events} == {"o-1"}
    assert events[0] == frame.events.order_events[0]
