"""What a trade stream shows beside its answers: events of its newest orders, none for a message without an act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

from controlbus.bus import Bus
from gateway.events.feed import Feed, Source
from gateway.orders.trade_stream import FOLLOWED_MAX, Act, TradeActs, TradeStreamCall
from gateway.orders.wire import gated_list_from_proto
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import PermissionDenied
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb

ACCEPTED, FILLED = orderpb.ORDER_STATE_ACCEPTED, orderpb.ORDER_STATE_FILLED


async def world_of(found: orderpb.OrderEvents) -> tuple[str, ...]:
    return (found.events[0].world_id,)


def feed(keep: int) -> Feed[orderpb.OrderEvents]:
    """A feed that is filled by hand and never read from the broker."""
    decode = orderpb.OrderEvents.FromString
    source = Source("ORDERS", "orders.>", decode, lambda found: ("a", found.events[-1].order_event_number), world_of)
    return Feed(cast("Bus", None), source, keep)


class Trader:
    """The client's side of one call; `worlds` are those the caller may act in, as a grant is given and taken."""

    def __init__(self, orders: Feed[orderpb.OrderEvents], *worlds: str, followed_max: int = FOLLOWED_MAX) -> None:
        self.worlds = set(worlds)
        self.said: asyncio.Queue[tradingservicepb.TradeStreamRequest | None] = asyncio.Queue()
        acts = TradeActs(self._submit, self._submit_list, self._replace, self._cancel)
        self.call = TradeStreamCall(orders, acts, self._may_see, asyncio.Event(), idle_s=60, followed_max=followed_max)
        self.replies = self.call.replies(self._requests())

    async def hear(self) -> tradingservicepb.TradeStreamResponse:
        async with asyncio.timeout(5):
            return await anext(self.replies)

    async def submit(self, world_id: str, client_order_id: str) -> None:
        order = orderpb.Order(world_id=world_id, client_order_id=client_order_id)
        self.said.put_nowait(tradingservicepb.TradeStreamRequest(correlation_id=client_order_id, submit=order))
        assert (await self.hear()).correlation_id == client_order_id

    async def refused(self, world_id: str, client_order_id: str) -> str:
        key = orderpb.OrderKey(world_id=world_id, client_order_id=client_order_id)
        self.said.put_nowait(tradingservicepb.TradeStreamRequest(cancel=key))
        return (await self.hear()).error.reason

    async def _submit(self, order: orderpb.Order) -> Act:
        await self._may_see(order.world_id)

        async def accept() -> tradingservicepb.TradeStreamResponse:
            status = orderpb.OrderStatus(order=order, state=orderpb.ORDER_STATE_ACCEPTED)
            return tradingservicepb.TradeStreamResponse(status=status)

        return accept

    async def _cancel(self, key: orderpb.OrderKey) -> Act:
        await self._may_see(key.world_id)

        async def cancel() -> tradingservicepb.TradeStreamResponse:
            status = orderpb.OrderStatus(state=orderpb.ORDER_STATE_CANCELED)
            return tradingservicepb.TradeStreamResponse(status=status)

        return cancel

    async def _submit_list(self, request: tradingservicepb.SubmitOrderListRequest) -> Act:
        if not request.orders:
            gated_list_from_proto(request.orders)
        await self._may_see(request.orders[0].world_id)

        async def take() -> tradingservicepb.TradeStreamResponse:
            statuses = [orderpb.OrderStatus(order=order) for order in request.orders]
            return tradingservicepb.TradeStreamResponse(
                list=tradingservicepb.SubmitOrderListResponse(statuses=statuses)
            )

        return take

    async def _replace(self, request: tradingservicepb.ReplaceOrderRequest) -> Act:
        await self._may_see(request.key.world_id)

        async def change() -> tradingservicepb.TradeStreamResponse:
            status = orderpb.OrderStatus(message=request.request_id)
            return tradingservicepb.TradeStreamResponse(replaced=tradingservicepb.ReplaceOrderResponse(status=status))

        return change

    async def _may_see(self, world_id: str) -> None:
        if world_id not in self.worlds:
            raise PermissionDenied("E_WORLD_FORBIDDEN", f"world {world_id} is not yours")

    async def _requests(self) -> AsyncIterator[tradingservicepb.TradeStreamRequest]:
        while (request := await self.said.get()) is not None:
            yield request


async def happens(
    orders: Feed[orderpb.OrderEvents], world_id: str, *client_order_ids: str, state: orderpb.OrderState = ACCEPTED
) -> None:
    number = orders.head + 1
    events = [
        orderpb.OrderEvent(world_id=world_id, client_order_id=name, order_event_number=number, state=state)
        for name in client_order_ids
    ]
    await orders.add(number, orderpb.OrderEvents(events=events).SerializeToString())


async def test_of_events_that_come_together_those_of_its_orders_are_shown() -> None:
    orders = feed(keep=100)
    trader = Trader(orders, "w")
    async with aclosing(trader.replies):
        for name in ("1", "3"):
            await trader.submit("w", name)
        await happens(orders, "w", "1", "2", "3", "1")
        assert [(await trader.hear()).event.client_order_id for _ in range(3)] == ["1", "3", "1"]


async def test_who_is_refused_sees_nothing_of_the_order() -> None:
    orders = feed(keep=100)
    trader = Trader(orders, "mine")
    async with aclosing(trader.replies):
        assert await trader.refused("theirs", "1") == "E_WORLD_FORBIDDEN"
        await trader.submit("mine", "2")
        await happens(orders, "theirs", "1")
        await happens(orders, "mine", "2")
        assert (await trader.hear()).event.client_order_id == "2"


async def test_events_end_when_the_grant_is_taken() -> None:
    orders = feed(keep=100)
    trader = Trader(orders, "w")
    async with aclosing(trader.replies):
        await trader.submit("w", "1")
        trader.worlds.clear()
        await happens(orders, "w", "1")
        assert (await trader.hear()).error.reason == "E_WORLD_FORBIDDEN"
        trader.worlds.add("w")
        await happens(orders, "w", "1")
        await trader.submit("w", "2")  # no event came between: the first order is followed no more
        await happens(orders, "w", "2")
        assert (await trader.hear()).event.client_order_id == "2"


async def test_orders_that_ended_are_let_go_first_and_an_open_one_is_told() -> None:
    orders = feed(keep=100)
    trader = Trader(orders, "a", "b", followed_max=2)
    async with aclosing(trader.replies):
        await trader.submit("a", "1")
        await trader.submit("b", "2")
        await happens(orders, "b", "2", state=FILLED)
        assert (await trader.hear()).event.client_order_id == "2"
        await trader.submit("b", "3")
        for world_id, name in (("b", "2"), ("b", "other"), ("a", "1")):
            await happens(orders, world_id, name)
        assert (await trader.hear()).event.client_order_id == "1"
        await trader.submit("a", "1")  # a cancel, or the same again: now the third is the oldest
        order = orderpb.Order(world_id="a", client_order_id="4")
        trader.said.put_nowait(tradingservicepb.TradeStreamRequest(submit=order))
        assert (await trader.hear()).error.reason == "E_TRADE_STREAM_LAGS"
        assert (await trader.hear()).status.order == order
        for world_id, name in (("b", "3"), ("a", "1")):
            await happens(orders, world_id, name)
        assert (await trader.hear()).event.client_order_id == "1"


async def test_message_without_an_act_follows_nothing() -> None:
    orders = feed(keep=1)
    trader = Trader(orders, "w")
    async with aclosing(trader.replies):
        trader.said.put_nowait(tradingservicepb.TradeStreamRequest(correlation_id="still here"))
        assert (await trader.hear()).error.reason == "E_ACT"
        for name in "123":  # the feed keeps one: whoever follows a world from before has missed some
            await happens(orders, "", name)
        await trader.submit("w", "4")
        await happens(orders, "w", "4")
        assert (await trader.hear()).event.client_order_id == "4"  # no word of events that were missed came before


async def test_all_orders_of_a_list_are_followed_and_a_change_waits_for_the_list() -> None:
    orders = feed(keep=100)
    trader = Trader(orders, "w")
    asked = [orderpb.Order(world_id="w", client_order_id=name) for name in "12"]
    change = tradingservicepb.ReplaceOrderRequest(
        key=orderpb.OrderKey(world_id="w", client_order_id="2"), request_id="r"
    )
    async with aclosing(trader.replies):
        listed = tradingservicepb.SubmitOrderListRequest(orders=asked)
        trader.said.put_nowait(tradingservicepb.TradeStreamRequest(correlation_id="l", submit_list=listed))
        trader.said.put_nowait(tradingservicepb.TradeStreamRequest(correlation_id="c", replace=change))
        first, second = await trader.hear(), await trader.hear()
        assert (first.correlation_id, [one.order for one in first.list.statuses]) == ("l", asked)
        assert (second.correlation_id, second.replaced.status.message) == ("c", "r")
        for name in "12":
            await happens(orders, "w", name)
        assert [(await trader.hear()).event.client_order_id for _ in "12"] == ["1", "2"]


async def test_what_names_no_order_is_answered_before_the_stream_ends() -> None:
    trader = Trader(feed(keep=1), "w")
    empty = tradingservicepb.SubmitOrderListRequest()
    trader.said.put_nowait(tradingservicepb.TradeStreamRequest(correlation_id="l", submit_list=empty))
    trader.said.put_nowait(None)
    async with asyncio.timeout(5), aclosing(trader.replies):
        heard = [(reply.correlation_id, reply.error.reason) async for reply in trader.replies]
    assert heard == [("l", "E_ORDER_LIST_MALFORMED")]
