"""RPCs of orders: what the gate lets pass goes to brokerage, which decides finally."""

from __future__ import annotations

from gateway import wire
from gateway.domain.gate import Refused, check
from gateway.doors import Doors
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotReady
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth import Role


class OrderCalls:
    """Orders of the caller's worlds."""

    _doors: Doors

    async def SubmitOrder(
        self, request: servicepb.SubmitOrderRequest, context: object
    ) -> servicepb.SubmitOrderResponse:
        order = request.order
        wire.asked_from_proto(order)
        await self._doors.access.require(order.world_id, Role.OPERATOR)
        try:
            return await self._gated(order)
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self._doors.gates.renew()
        return await self._gated(order)

    async def CancelOrder(
        self, request: servicepb.CancelOrderRequest, context: object
    ) -> servicepb.CancelOrderResponse:
        await self._doors.access.require(request.key.world_id, Role.OPERATOR)
        answer = await self._doors.peers.broker.CancelOrder(brokerservicepb.CancelOrderRequest(key=request.key))
        return servicepb.CancelOrderResponse(status=answer.status)

    async def _gated(self, order: brokerpb.Order) -> servicepb.SubmitOrderResponse:
        gates = self._doors.gates
        asked = wire.asked_from_proto(order)
        verdict = check(gates.gate(order.world_id), gates.session_valid, asked, self._doors.clock.now())
        if isinstance(verdict, Refused):
            return servicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        stamp = wire.stamp_to_proto(verdict, gates.gateway_id)
        answer = await self._doors.peers.broker.SubmitOrder(brokerservicepb.SubmitOrderRequest(order=order, gate=stamp))
        return servicepb.SubmitOrderResponse(status=answer.status, duplicate=answer.duplicate)
