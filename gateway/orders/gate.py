"""Orders, lists and changes through the gate: the activation held here, the shares of versions, how degraded it is.

What passes goes to brokerage under its stamp, which decides finally; a refusal is a value with the rule's name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.admission.live_consent import Metadata, require_live_consent
from gateway.orders import wire
from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.orders.domain import (
    OVERLAY,
    GatedOrder,
    Passed,
    Refused,
    RefusedOne,
    check_canary_share,
    check_list,
    check_order,
    check_share,
    hedge_gate,
)
from gateway.peers import Peers
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.core.clock import Clock
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.wire.contexts import DOMAIN_NUMBERS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderGate:
    """Checks orders and forwards those that pass; `takes_new_risk` is what the gateway's level says."""

    peers: Peers
    activations: HeldActivations
    shares: CanaryShares
    takes_new_risk: Callable[[], bool]
    clock: Clock

    async def submit(
        self, order: orderpb.Order, gated: GatedOrder, metadata: Metadata, hedges: ExecutionDomain | None = None
    ) -> orderentryservicepb.SubmitOrderResponse:
        """The durable answer; asked once more after a renewal when brokerage knows a newer epoch.

        `gated` is the order as the gate reads it. `hedges`: the domain in which an order of a world's hedge is gated by
        what its strategies may do; None: it has no entry, and is refused.

        Raises PermissionDenied (E_LIVE_GUARD), and what brokerage raises.
        """
        return await self._twice(lambda: self._submit(order, gated, metadata, hedges))

    async def submit_netted(
        self, order: orderpb.Order, metadata: Metadata, hedges: ExecutionDomain | None = None
    ) -> orderentryservicepb.SubmitNettedOrderResponse:
        """The durable answer to an order for several strategies, as `submit`. Each share is gated by its own world's
        activation, whose epoch it is sent with, as the version that trades the symbol; one that may not trade refuses
        the order by its name.
        """
        return await self._twice(lambda: self._submit_netted(order, metadata, hedges))

    async def submit_list(
        self, orders: Sequence[orderpb.Order], gated: Sequence[GatedOrder], metadata: Metadata
    ) -> tradingservicepb.SubmitOrderListResponse:
        """The durable answer to a list, as `submit`."""
        return await self._twice(lambda: self._submit_list(orders, gated, metadata))

    async def replace(
        self, request: tradingservicepb.ReplaceOrderRequest, metadata: Metadata
    ) -> tradingservicepb.ReplaceOrderResponse:
        """The durable answer to a change of an order, which is gated as the order would be; as `submit`."""
        found = await self.peers.orders.GetOrder(orderservicepb.GetOrderRequest(key=request.key))
        return await self._twice(lambda: self._replace(request, found.status, metadata))

    async def _twice(self, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await act()
        except NotReady as error:
            if error.reason != "E_STALE_EPOCH":
                raise
        await self.activations.renew()
        return await act()

    async def _submit(
        self, order: orderpb.Order, gated: GatedOrder, metadata: Metadata, hedges: ExecutionDomain | None
    ) -> orderentryservicepb.SubmitOrderResponse:
        verdict = await self._verdict(order.world_id, gated, hedges)
        if isinstance(verdict, Refused):
            return orderentryservicepb.SubmitOrderResponse(status=wire.refusal_to_proto(order, verdict))
        stamp = self._stamp(verdict, metadata, "the order")
        return await self.peers.order_entry.SubmitOrder(orderentryservicepb.SubmitOrderRequest(order=order, gate=stamp))

    async def _submit_netted(
        self, order: orderpb.Order, metadata: Metadata, hedges: ExecutionDomain | None
    ) -> orderentryservicepb.SubmitNettedOrderResponse:
        gated = [
            wire.gated_share_from_proto(order, share, await self.shares.routed(share.strategy_id, order.symbol))
            for share in order.shares
        ]
        verdicts = [
            check_share(one, await self._verdict(share.world_id, one, hedges))
            for one, share in zip(gated, order.shares, strict=True)
        ]
        found = check_list(verdicts, gated)
        if isinstance(found, RefusedOne):
            status = wire.refused_share_to_proto(order, found)
            return orderentryservicepb.SubmitNettedOrderResponse(status=status)
        if found.domain is ExecutionDomain.LIVE and not all(one.reduce_only for one in gated):
            require_live_consent(metadata, "the order")
        wanted = orderpb.Order()
        wanted.CopyFrom(order)
        for share, verdict in zip(wanted.shares, verdicts, strict=True):
            assert isinstance(verdict, Passed), "none was refused"
            share.epoch = verdict.epoch
        return await self.peers.order_entry.SubmitNettedOrder(
            orderentryservicepb.SubmitNettedOrderRequest(
                order=wanted,
                execution_domain=DOMAIN_NUMBERS[found.domain],
                gateway_id=self.activations.gateway_id,
            )
        )

    async def _submit_list(
        self, orders: Sequence[orderpb.Order], gated: Sequence[GatedOrder], metadata: Metadata
    ) -> tradingservicepb.SubmitOrderListResponse:
        verdict = check_list([await self._verdict(orders[0].world_id, one) for one in gated], gated)
        if isinstance(verdict, RefusedOne):
            return tradingservicepb.SubmitOrderListResponse(statuses=wire.refusals_to_proto(orders, verdict))
        stamp = self._stamp(verdict, metadata, "the list")
        request = orderentryservicepb.SubmitOrderListRequest(orders=orders, gate=stamp)
        answer = await self.peers.order_entry.SubmitOrderList(request)
        return tradingservicepb.SubmitOrderListResponse(statuses=answer.statuses, duplicate=answer.duplicate)

    async def _replace(
        self, wanted: tradingservicepb.ReplaceOrderRequest, status: orderpb.OrderStatus, metadata: Metadata
    ) -> tradingservicepb.ReplaceOrderResponse:
        verdict = await self._verdict(wanted.key.world_id, wire.gated_order_from_proto(status.order))
        if isinstance(verdict, Refused):
            return tradingservicepb.ReplaceOrderResponse(
                status=status, denial=wire.DENIALS[verdict.denial], message=verdict.reason
            )
        request = orderentryservicepb.ReplaceOrderRequest(
            key=wanted.key,
            terms=wanted.terms,
            update_mask=wanted.update_mask,
            gate=self._stamp(verdict, metadata, "the change"),
            request_id=wanted.request_id,
        )
        answer = await self.peers.order_entry.ReplaceOrder(request)
        return tradingservicepb.ReplaceOrderResponse(
            status=answer.status, denial=answer.denial, message=answer.message, duplicate=answer.duplicate
        )

    def _stamp(self, verdict: Passed, metadata: Metadata, what: str) -> orderentryservicepb.GateStamp:
        """Raises PermissionDenied (E_LIVE_GUARD)."""
        if verdict.domain is ExecutionDomain.LIVE and not verdict.reduce_only:
            require_live_consent(metadata, what)
        return wire.stamp_to_proto(verdict, self.activations.gateway_id)

    async def _verdict(
        self, world_id: str, gated: GatedOrder, hedges: ExecutionDomain | None = None
    ) -> Passed | Refused:
        """Shares first, because they may have to be asked for: the activation is read last and at once."""
        is_hedge = hedges is not None and gated.strategy_id == OVERLAY
        refused = None if is_hedge else check_canary_share(gated, await self.shares.weights(gated.strategy_id))
        held, now = self.activations, self.clock.now()
        gate = held.gate(world_id)
        if is_hedge and hedges is not None and gate is not None:
            gate = hedge_gate(gate, hedges, now)
        verdict = check_order(
            gate, held.session_valid, gated, now,
            new_risk=self.takes_new_risk(), hold_asked=held.hold_asked(world_id),
        )  # fmt: skip
        return verdict if isinstance(verdict, Refused) else refused or verdict
