"""One order through the gate: the activation held here, the shares of versions, the level of degradation.

What passes goes to brokerage under its stamp, which decides finally; a refusal is a value with the rule's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.admission.live_consent import Metadata, require_live_consent
from gateway.orders import wire
from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.orders.domain import GatedOrder, Passed, Refused, check_canary_share, check_order
from gateway.peers import Peers
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import Clock
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain


@dataclass(frozen=True, slots=True)
class OrderGate:
    """Checks orders and forwards those that pass; `takes_new_risk` is what the gateway's level says."""

    peers: Peers
    activations: HeldActivations
    shares: CanaryShares
    takes_new_risk: Callable[[], bool]
    clock: Clock

    async def submit(
        self, order: orderpb.Order, gated: GatedOrder, metadata: Metadata
    ) -> orderentryservicepb.SubmitOrderResponse:
        """The durable answer; asked once more after a renewal when brokerage knows a newer epoch.

        `gated` is the order as the gate reads it. Raises PermissionDenied (E_LIVE_GUARD), and what brokerage raises.
        """
        try:
            return await self._submit(order, gated, metadata)
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self.activations.renew()
        return await self._submit(order, gated, metadata)

    async def _submit(
        self, order: orderpb.Order, gated: GatedOrder, metadata: Metadata
    ) -> orderentryservicepb.SubmitOrderResponse:
        verdict = await self._verdict(order.world_id, gated)
        if isinstance(verdict, Refused):
            return orderentryservicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        if verdict.domain is ExecutionDomain.LIVE and not verdict.reduce_only:
            require_live_consent(metadata, "the order")
        stamp = wire.stamp_to_proto(verdict, self.activations.gateway_id)
        return await self.peers.order_entry.SubmitOrder(orderentryservicepb.SubmitOrderRequest(order=order, gate=stamp))

    async def _verdict(self, world_id: str, gated: GatedOrder) -> Passed | Refused:
        """Shares first, because they may have to be asked for: the activation is read last and at once."""
        refused = check_canary_share(gated, await self.shares.weights(gated.strategy_id))
        held = self.activations
        verdict = check_order(
            held.gate(world_id), held.session_valid, gated, self.clock.now(), new_risk=self.takes_new_risk()
        )
        return verdict if isinstance(verdict, Refused) else refused or verdict
