"""RPCs of orders: what the gate lets pass goes to brokerage, which decides finally."""

from __future__ import annotations

from typing import Any

from gateway import wire
from gateway.domain.gate import Refused, check
from gateway.doors import Doors
from gateway.live import Metadata
from gateway.live import require as require_live
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth import Role

Context = Any  # grpc.aio.ServicerContext, for its metadata


class OrderCalls:
    """Orders of the caller's worlds."""

    _doors: Doors

    async def SubmitOrder(
        self, request: servicepb.SubmitOrderRequest, context: Context
    ) -> servicepb.SubmitOrderResponse:
        order = request.order
        wire.asked_from_proto(order)
        await self._doors.access.require(order.world_id, Role.OPERATOR)
        try:
            return await self._gated(order, context.invocation_metadata())
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self._doors.gates.renew()
        return await self._gated(order, context.invocation_metadata())

    async def CancelOrder(
        self, request: servicepb.CancelOrderRequest, context: object
    ) -> servicepb.CancelOrderResponse:
        await self._doors.access.require_for_cancel(request.key.world_id)
        answer = await self._doors.peers.broker.CancelOrder(brokerservicepb.CancelOrderRequest(key=request.key))
        return servicepb.CancelOrderResponse(status=answer.status)

    async def _gated(self, order: brokerpb.Order, metadata: Metadata) -> servicepb.SubmitOrderResponse:
        gates = self._doors.gates
        asked = wire.asked_from_proto(order)
        new_risk = self._doors.probes.level() < gatewaypb.DEGRADATION_LEVEL_MINIMAL
        gate = gates.gate(order.world_id)
        verdict = check(gate, gates.session_valid, asked, self._doors.clock.now(), new_risk=new_risk)
        if isinstance(verdict, Refused):
            return servicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        if verdict.domain is ExecutionDomain.LIVE and not verdict.reduce_only:
            require_live(metadata, "the order")
        stamp = wire.stamp_to_proto(verdict, gates.gateway_id)
        answer = await self._doors.peers.broker.SubmitOrder(brokerservicepb.SubmitOrderRequest(order=order, gate=stamp))
        return servicepb.SubmitOrderResponse(status=answer.status, duplicate=answer.duplicate)
