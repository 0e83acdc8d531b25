"""RPCs of orders and fills: what the gate lets pass goes to brokerage, which decides finally."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from gateway.events.feed import Feed
from gateway.orders import fills
from gateway.orders.gate import OrderGate
from gateway.orders.trade_stream import Act, TradeActs, TradeStreamCall
from gateway.orders.wire import asked_order_from_proto, gated_list_from_proto
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.roles import Role
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.auth.roles import AWAY, WorldRoles
from qmtl.rpc.server.streaming import write_within

Context = Any  # grpc.aio.ServicerContext, for its metadata and its writes


@dataclass(frozen=True, slots=True)
class TradeStreamLimits:
    """How long a trade stream may be silent, and how long one reply may wait to be read."""

    idle_s: float
    write_s: float


class TradingServicer(tradingrpc.TradingServiceServicer):
    """Orders of the caller's worlds; see trading_service.proto for what each call does."""

    def __init__(
        self,
        gate: OrderGate,
        roles: WorldRoles,
        orders: Feed[orderpb.OrderEvents],
        limits: TradeStreamLimits,
        draining: asyncio.Event,
    ) -> None:
        self._gate = gate
        self._roles = roles
        self._orders = orders
        self._limits = limits
        self._draining = draining

    async def SubmitOrder(
        self, request: tradingservicepb.SubmitOrderRequest, context: Context
    ) -> tradingservicepb.SubmitOrderResponse:
        gated = asked_order_from_proto(request.order)
        await self._require_sender(request.order.world_id)
        answer = await self._gate.submit(request.order, gated, context.invocation_metadata())
        return tradingservicepb.SubmitOrderResponse(status=answer.status, duplicate=answer.duplicate)

    async def SubmitOrderList(
        self, request: tradingservicepb.SubmitOrderListRequest, context: Context
    ) -> tradingservicepb.SubmitOrderListResponse:
        gated = gated_list_from_proto(request.orders)
        await self._require_sender(request.orders[0].world_id)
        return await self._gate.submit_list(request.orders, gated, context.invocation_metadata())

    async def ReplaceOrder(
        self, request: tradingservicepb.ReplaceOrderRequest, context: Context
    ) -> tradingservicepb.ReplaceOrderResponse:
        await self._require_sender(request.key.world_id)
        return await self._gate.replace(request, context.invocation_metadata())

    async def CancelOrder(
        self, request: tradingservicepb.CancelOrderRequest, context: object
    ) -> tradingservicepb.CancelOrderResponse:
        await self._roles.require_for_cancel(request.key.world_id)
        return tradingservicepb.CancelOrderResponse(status=await self._cancel(request.key))

    async def TradeStream(  # type: ignore[override]  # writes its replies itself
        self, request_iterator: AsyncIterator[tradingservicepb.TradeStreamRequest], context: Context
    ) -> None:
        """Writes its replies itself, so that each write is bounded in time."""
        metadata = context.invocation_metadata()

        async def submit(order: orderpb.Order) -> Act:
            gated = asked_order_from_proto(order)
            await self._require_sender(order.world_id)

            async def act() -> tradingservicepb.TradeStreamResponse:
                answer = await self._gate.submit(order, gated, metadata)
                return tradingservicepb.TradeStreamResponse(status=answer.status)

            return act

        async def submit_list(request: tradingservicepb.SubmitOrderListRequest) -> Act:
            gated = gated_list_from_proto(request.orders)
            await self._require_sender(request.orders[0].world_id)

            async def act() -> tradingservicepb.TradeStreamResponse:
                answer = await self._gate.submit_list(request.orders, gated, metadata)
                return tradingservicepb.TradeStreamResponse(list=answer)

            return act

        async def replace(request: tradingservicepb.ReplaceOrderRequest) -> Act:
            await self._require_sender(request.key.world_id)

            async def act() -> tradingservicepb.TradeStreamResponse:
                return tradingservicepb.TradeStreamResponse(replaced=await self._gate.replace(request, metadata))

            return act

        async def cancel(key: orderpb.OrderKey) -> Act:
            await self._roles.require_for_cancel(key.world_id)

            async def act() -> tradingservicepb.TradeStreamResponse:
                return tradingservicepb.TradeStreamResponse(status=await self._cancel(key))

            return act

        see = self._roles.require_for_cancel
        call = TradeStreamCall(
            self._orders, TradeActs(submit, submit_list, replace, cancel), see, self._draining, self._limits.idle_s
        )
        async with aclosing(call.replies(request_iterator)) as replies:
            async for reply in replies:
                await write_within(self._limits.write_s, context, reply)

    async def _require_sender(self, world_id: str) -> None:
        """Demand operator of an order's world. While worldservice cannot be asked and the gate has lapsed, so that only
        what reduces passes, as for a cancel: who asks is told of the denial, and can get out.
        """
        try:
            await self._roles.require_known(world_id, Role.OPERATOR)
        except AWAY:
            if self._gate.activations.session_valid:
                raise
            await self._roles.require_for_cancel(world_id)

    async def ReportFills(
        self, request_iterator: AsyncIterator[tradingservicepb.ReportFillsRequest], context: object
    ) -> tradingservicepb.ReportFillsResponse:
        reported = (request.fill async for request in request_iterator)
        booked = await fills.forward(reported, self._gate.peers, self._roles)
        return tradingservicepb.ReportFillsResponse(booked=booked.booked, duplicates=booked.duplicates)

    async def ReplayFills(
        self, request: tradingservicepb.ReplayFillsRequest, context: object
    ) -> AsyncIterator[tradingservicepb.ReplayFillsResponse]:
        after = request.after_account_fill_number
        batches = fills.replay(self._gate.peers, request.account, request.world_id, after)
        async with aclosing(batches):
            async for batch in batches:
                yield tradingservicepb.ReplayFillsResponse(fills=batch)

    async def _cancel(self, key: orderpb.OrderKey) -> orderpb.OrderStatus:
        answer = await self._gate.peers.order_entry.CancelOrder(orderentryservicepb.CancelOrderRequest(key=key))
        return answer.status
