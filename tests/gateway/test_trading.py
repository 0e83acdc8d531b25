"""What a trade stream shows beside its answers: events of its newest orders, none for a message without an act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

import pytest

from controlbus.bus import Bus
from gateway import trading
from gateway.feed import Feed, Source
from gateway.trading import TradeCall
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.gateway.v1 import service_pb2 as servicepb


async def world_of(event: brokerpb.OrderEvent) -> tuple[str, ...]:
    return (event.world_id,)


def feed(keep: int) -> Feed[brokerpb.OrderEvent]:
    """A feed that is filled by hand and never read from the broker."""
    decode = brokerpb.OrderEvent.FromString
    source = Source("ORDERS", "orders.>", decode, lambda event: (event.client_order_id, event.seq), world_of)
    return Feed(cast("Bus", None), source, keep)


async def accepted(order: brokerpb.Order) -> brokerpb.OrderStatus:
    return brokerpb.OrderStatus(order=order, state=brokerpb.ORDER_STATE_ACCEPTED)


async def canceled(key: brokerservicepb.OrderKey) -> brokerpb.OrderStatus:
    return brokerpb.OrderStatus(state=brokerpb.ORDER_STATE_CANCELED)


class Trader:
    """The client's side of one call."""

    def __init__(self, orders: Feed[brokerpb.OrderEvent]) -> None:
        self.said: asyncio.Queue[servicepb.TradeStreamRequest | None] = asyncio.Queue()
        self.call = TradeCall(orders, accepted, canceled, asyncio.Event(), idle_s=60)
        self.replies = self.call.replies(self._requests())

    async def hear(self) -> servicepb.TradeStreamResponse:
        async with asyncio.timeout(5):
            return await anext(self.replies)

    async def submit(self, world_id: str, client_order_id: str) -> None:
        order = brokerpb.Order(world_id=world_id, client_order_id=client_order_id)
        self.said.put_nowait(servicepb.TradeStreamRequest(correlation_id=client_order_id, submit=order))
        assert (await self.hear()).correlation_id == client_order_id

    async def _requests(self) -> AsyncIterator[servicepb.TradeStreamRequest]:
        while (request := await self.said.get()) is not None:
            yield request


async def happens(orders: Feed[brokerpb.OrderEvent], world_id: str, client_order_id: str) -> None:
    event = brokerpb.OrderEvent(world_id=world_id, client_order_id=client_order_id, seq=orders.head + 1)
    await orders.add(orders.head + 1, event.SerializeToString())


async def test_events_of_the_newest_orders_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading, "FOLLOWED_MAX", 2)
    orders = feed(keep=100)
    trader = Trader(orders)
    async with aclosing(trader.replies):
        for world_id, name in (("a", "1"), ("b", "2"), ("b", "3")):
            await trader.submit(world_id, name)
        for world_id, name in (("a", "1"), ("b", "2"), ("a", "1"), ("b", "other"), ("b", "3")):
            await happens(orders, world_id, name)
        assert [(await trader.hear()).event.client_order_id for _ in range(2)] == ["2", "3"]
        await trader.submit("a", "4")  # the second is let go, and the first one's world is looked at anew
        for world_id, name in (("b", "2"), ("a", "1"), ("a", "4")):
            await happens(orders, world_id, name)
        assert (await trader.hear()).event.client_order_id == "4"


async def test_message_without_an_act_follows_nothing() -> None:
    orders = feed(keep=1)
    trader = Trader(orders)
    async with aclosing(trader.replies):
        trader.said.put_nowait(servicepb.TradeStreamRequest(correlation_id="still here"))
        assert (await trader.hear()).error.reason == "E_ACT"
        for name in "123":  # the feed keeps one: whoever follows a world from before has missed some
            await happens(orders, "", name)
        await asyncio.sleep(2 * trading.LOOK_S)
        trader.said.put_nowait(None)
        with pytest.raises(StopAsyncIteration):
            await trader.hear()
