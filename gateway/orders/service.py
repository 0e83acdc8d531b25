"""RPCs of orders: what the gate lets pass goes to brokerage, which decides finally."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from gateway.admission.live_consent import Metadata
from gateway.admission.live_consent import require_live_consent as require_live
from gateway.doors import Doors
from gateway.orders import wire
from gateway.orders.domain import Passed, Refused, check_canary_share, check_order
from gateway.orders.trade_stream import Desk, TradeStreamCall
from gateway.writing import write_within
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb

Context = Any  # grpc.aio.ServicerContext, for its metadata


class OrderCalls:
    """Orders of the caller's worlds."""

    _doors: Doors

    async def SubmitOrder(
        self, request: servicepb.SubmitOrderRequest, context: Context
    ) -> servicepb.SubmitOrderResponse:
        return await self._submit(request.order, context.invocation_metadata())

    async def CancelOrder(
        self, request: servicepb.CancelOrderRequest, context: object
    ) -> servicepb.CancelOrderResponse:
        return servicepb.CancelOrderResponse(status=await self._cancel(request.key))

    async def TradeStream(
        self, request_iterator: AsyncIterator[servicepb.TradeStreamRequest], context: Context
    ) -> None:
        """Writes its replies itself, so that each write is bounded in time."""
        doors, metadata = self._doors, context.invocation_metadata()

        async def allow(request: servicepb.TradeStreamRequest) -> None:
            if request.HasField("submit"):
                await self._may_submit(request.submit)
            else:
                await doors.access.require_for_cancel(request.cancel.world_id)

        async def submit(order: brokerpb.Order) -> brokerpb.OrderStatus:
            return (await self._submit(order, metadata)).status

        desk = Desk(allow, submit, self._cancel, doors.access.require_for_cancel)
        call = TradeStreamCall(doors.streams.orders, desk, doors.draining, doors.settings.trade_idle_s)
        async with aclosing(call.replies(request_iterator)) as replies:
            async for reply in replies:
                await write_within(doors.settings.subscriber_write_s, context, reply)

    async def _submit(self, order: brokerpb.Order, metadata: Metadata) -> servicepb.SubmitOrderResponse:
        """One order through the gate; once more after a renewal when brokerage knows a newer epoch."""
        await self._may_submit(order)
        try:
            return await self._gated(order, metadata)
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self._doors.gates.renew()
        return await self._gated(order, metadata)

    async def _may_submit(self, order: brokerpb.Order) -> None:
        wire.gated_order_from_proto(order)
        await self._doors.access.require(order.world_id, Role.OPERATOR)

    async def _cancel(self, key: brokerservicepb.OrderKey) -> brokerpb.OrderStatus:
        await self._doors.access.require_for_cancel(key.world_id)
        answer = await self._doors.peers.broker.CancelOrder(brokerservicepb.CancelOrderRequest(key=key))
        return answer.status

    async def _gated(self, order: brokerpb.Order, metadata: Metadata) -> servicepb.SubmitOrderResponse:
        verdict = await self._verdict(order)
        if isinstance(verdict, Refused):
            return servicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        if verdict.domain is ExecutionDomain.LIVE and not verdict.reduce_only:
            require_live(metadata, "the order")
        stamp = wire.stamp_to_proto(verdict, self._doors.gates.gateway_id)
        answer = await self._doors.peers.broker.SubmitOrder(brokerservicepb.SubmitOrderRequest(order=order, gate=stamp))
        return servicepb.SubmitOrderResponse(status=answer.status, duplicate=answer.duplicate)

    async def _verdict(self, order: brokerpb.Order) -> Passed | Refused:
        """Shares first, because they may have to be asked for: the activation is read last and at once."""
        asked, gates = wire.gated_order_from_proto(order), self._doors.gates
        refused = check_canary_share(asked, await self._doors.canaries.weights(order.strategy_id))
        new_risk = self._doors.probes.level() < gatewaypb.DEGRADATION_LEVEL_MINIMAL
        gate = gates.gate(order.world_id)
        verdict = check_order(gate, gates.session_valid, asked, self._doors.clock.now(), new_risk=new_risk)
        return verdict if isinstance(verdict, Refused) else refused or verdict
