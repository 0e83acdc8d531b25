"""OrderEntryService: the last door before a venue, for gated orders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.commit_notices import Pulse, either
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import Fence, GateStamp
from brokerage.domain.risk.limits import spans_accounts
from brokerage.fences import change
from brokerage.fences import store as fences_store
from brokerage.market.context import MarketContext
from brokerage.orders.entry import readiness
from brokerage.orders.entry.cancel import cancel_all, cancel_order
from brokerage.orders.entry.netted import submit_netted
from brokerage.orders.entry.replace import Replaced, replace_order
from brokerage.orders.entry.submit import submit
from brokerage.orders.entry.submit_list import submit_list
from brokerage.orders.store import OrdersOf
from brokerage.orders.wire import (
    gate_from_proto,
    name_from_proto,
    netted_from_proto,
    order_from_proto,
    orders_from_proto,
    replace_from_proto,
    status_to_proto,
)
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_entry_service_pb2_grpc as orderentryrpc
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.rpc.auth.call import require_world
from qmtl.sql.database import Database
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum
from qmtl.wire.paging import parts_of

ARRIVAL_S = 2.0


class OrderEntryService(orderentryrpc.OrderEntryServiceServicer):
    """Takes and cancels orders."""

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        clock: Clock,
        draining: asyncio.Event,
        poll_s: float,
    ) -> None:
        self._db = db
        self._market = market
        self._clock = clock
        self._draining = draining
        self._poll_s = poll_s
        self._bars = Pulse(db, accounts_store.BARS_SIGNAL)
        self._limits: dict[str, RiskLimits] = {}  # as last seen, of worlds whose orders lock all their accounts
        self._fences = Pulse(db, fences_store.FENCES_SIGNAL)

    async def SubmitOrder(
        self, request: orderentryservicepb.SubmitOrderRequest, context: object
    ) -> orderentryservicepb.SubmitOrderResponse:
        order, gate = order_from_proto(request.order), gate_from_proto(request.gate)
        require_world(order.owner.world_id)
        seen = self._limits.get(order.owner.world_id, UNLIMITED)
        try:
            stored, known = await self._db.write(self._submission(order, gate, seen, in_step=True))
        except readiness.OutOfStep:
            seen = (await self._come_in_step(order, gate.epoch)).limits
            stored, known = await self._db.write(self._submission(order, gate, seen))
        return orderentryservicepb.SubmitOrderResponse(status=status_to_proto(stored), duplicate=known)

    async def SubmitNettedOrder(
        self, request: orderentryservicepb.SubmitNettedOrderRequest, context: object
    ) -> orderentryservicepb.SubmitNettedOrderResponse:
        order = netted_from_proto(request.order)
        domain = known_enum(DOMAINS, request.execution_domain, "execution_domain")
        for share in order.shares:
            require_world(share.world_id)
        await self._wait(self._fences, lambda conn: _fences_known(conn, order))
        now_ns = self._now_ns()
        stored, known = await self._db.write(lambda conn: submit_netted(conn, self._market, order, domain, now_ns))
        return orderentryservicepb.SubmitNettedOrderResponse(status=status_to_proto(stored), duplicate=known)

    async def SubmitOrderList(
        self, request: orderentryservicepb.SubmitOrderListRequest, context: object
    ) -> orderentryservicepb.SubmitOrderListResponse:
        orders, gate = orders_from_proto(request.orders), gate_from_proto(request.gate)
        require_world(orders[0].owner.world_id)
        seen, now_ns = await self._come_in_step(orders[0], gate.epoch), self._now_ns()
        stored, known = await self._db.write(
            lambda conn: submit_list(conn, self._market, orders, gate, now_ns, seen.limits)
        )
        return orderentryservicepb.SubmitOrderListResponse(
            statuses=[status_to_proto(one) for one in stored], duplicate=known
        )

    async def ReplaceOrder(
        self, request: orderentryservicepb.ReplaceOrderRequest, context: object
    ) -> orderentryservicepb.ReplaceOrderResponse:
        wanted, gate = replace_from_proto(request), gate_from_proto(request.gate)
        world_id = wanted.name.owner.world_id
        require_world(world_id)
        await self._wait(self._fences, lambda conn: readiness.known_fence(conn, world_id, gate.epoch) is not None)
        seen, now_ns = await self._db.read(lambda conn: change.current(conn, world_id)), self._now_ns()
        done = await self._db.write(
            lambda conn: replace_order(conn, self._market, wanted, gate, now_ns, seen[0].limits)
        )
        return replaced_to_proto(done)

    async def CancelOrder(
        self, request: orderentryservicepb.CancelOrderRequest, context: object
    ) -> orderentryservicepb.CancelOrderResponse:
        name, now_ns = name_from_proto(request.key), self._now_ns()
        require_world(name.owner.world_id)
        stored = await self._db.write(lambda conn: cancel_order(conn, self._market, name, now_ns))
        return orderentryservicepb.CancelOrderResponse(status=status_to_proto(stored))

    async def CancelAll(
        self, request: orderentryservicepb.CancelAllRequest, context: object
    ) -> orderentryservicepb.CancelAllResponse:
        of, now_ns = OrdersOf(request.account, request.world_id, request.strategy_id), self._now_ns()
        for world_id in await self._db.read(lambda conn: self._worlds(conn, of)):
            require_world(world_id)
        stored = await self._db.write(lambda conn: cancel_all(conn, self._market, of, now_ns))
        shown, _ = next(parts_of(map(status_to_proto, stored)))
        return orderentryservicepb.CancelAllResponse(statuses=shown, orders=len(stored))

    def _worlds(self, conn: Connection, of: OrdersOf) -> tuple[str, ...]:
        accounts_store.account(conn, of.account, of.world_id)
        return (of.world_id,) if of.world_id else accounts_store.worlds_of(conn, [of.account])[of.account]

    def _submission(
        self, order: Order, gate: GateStamp, seen: RiskLimits, *, in_step: bool = False
    ) -> Callable[[Connection], tuple[StoredOrder, bool]]:
        return partial(
            submit, market=self._market, order=order, gate=gate, now_ns=self._now_ns(), seen=seen, in_step=in_step
        )

    async def _come_in_step(self, order: Order, epoch: int) -> Fence:
        """The fence as it stands once it and the bar an order was decided on are here, or do not come in time."""
        world_id = order.owner.world_id
        await self._wait(self._bars, lambda conn: readiness.caught_up(conn, order))
        await self._wait(self._fences, lambda conn: readiness.known_fence(conn, world_id, epoch) is not None)
        fence, _ = await self._db.read(lambda conn: change.current(conn, world_id))
        if spans_accounts(self._market.limits, fence.limits):
            self._limits[world_id] = fence.limits
        else:
            self._limits.pop(world_id, None)
        return fence

    async def _wait(self, pulse: Pulse, holds: Callable[[Connection], bool]) -> None:
        """Let what was told to others a moment ago arrive here too, before an order is judged without it.

        Bounded: what does not come in time is judged as unknown, which narrows.
        """
        until = self._clock.monotonic() + ARRIVAL_S
        while (left_s := until - self._clock.monotonic()) > 0:
            beat = pulse.next()
            if await self._db.read(holds):
                return
            await either(beat, self._draining, min(left_s, self._poll_s))

    def _now_ns(self) -> int:
        return to_ns(self._clock.now())


def _fences_known(conn: Connection, order: Order) -> bool:
    """Whether the fences that the shares of an order were gated under have arrived."""
    return all(readiness.known_fence(conn, share.world_id, share.epoch) is not None for share in order.shares)


def replaced_to_proto(done: Replaced) -> orderentryservicepb.ReplaceOrderResponse:
    """What became of a replace."""
    return orderentryservicepb.ReplaceOrderResponse(
        status=status_to_proto(done.stored),
        denial=None if done.refusal is None else f"DENIAL_{done.refusal.denial.name}",
        message=done.refusal.message if done.refusal else "",
        duplicate=done.duplicate,
    )
