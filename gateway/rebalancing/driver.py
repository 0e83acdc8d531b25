"""One tenure of a run's executor: sends what is missing of it, waits for its orders, reports, ends it.

It may die at any point: orders have the ids of their place in the plan, and whoever goes on asks for them first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import structlog

from gateway.admission.live_consent import Metadata
from gateway.orders.domain import OVERLAY, Side
from gateway.orders.gate import OrderGate
from gateway.orders.wire import gated_order_from_proto
from gateway.peers import Peers
from gateway.rebalancing.domain import (
    CROSSED,
    NETTING,
    SLIPPAGE_BPS,
    STOPPING,
    TRIES,
    End,
    Filled,
    LegOrder,
    LegPart,
    NettedOrder,
    PlannedOrder,
    end_of,
    is_asked_again,
    less,
    limit_price,
    net_of,
    order_id,
    position_target,
    reasons_of,
    shortened,
)
from gateway.rebalancing.prices import Price, Prices
from gateway.rebalancing.wire import orders_of, progress_to_proto, shares_to_proto, trades_of
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, DeadlineExceeded, Exhausted, NotFound, QmtlError, Unavailable
from qmtl.core.modes import ExecutionDomain
from qmtl.core.tasks.ending import end as end_tasks
from qmtl.core.tasks.ending import first_of
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb

AT_ONCE_MAX = 32
LOOK_S, LOOK_MAX_S = 0.1, 1.0
AWAY = (Unavailable, DeadlineExceeded, Exhausted)
CLOSED = frozenset({
    orderpb.ORDER_VIEW_FILLED, orderpb.ORDER_VIEW_CANCELED, orderpb.ORDER_VIEW_EXPIRED, orderpb.ORDER_VIEW_REJECTED,
    orderpb.ORDER_VIEW_DENIED,
})  # fmt: skip
log = structlog.stdlib.get_logger("qmtl.gateway.rebalancing")


@dataclass(slots=True)
class RunDriver:
    """Drives one run under one epoch. `domain`: the one that its account's venue takes. `held` tells whether the lease
    still is; `canceling` is set by a cancel.
    """

    run: rebalancepb.RebalanceRun
    epoch: int
    peers: Peers
    gate: OrderGate
    prices: Prices
    domain: ExecutionDomain
    clock: Clock
    held: Callable[[], bool]
    canceling: asyncio.Event = field(default_factory=asyncio.Event)
    _filled: dict[int, Filled] = field(default_factory=dict)
    _stopped: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def drive(self) -> None:
        """To the run's end. Raises Conflict where another executor has taken over: this one sends no more orders."""
        orders = orders_of(self.run.plan)
        await self._report(None, [])
        teller, work = asyncio.create_task(self._tell()), asyncio.create_task(self._work_all(orders))
        try:
            await asyncio.wait({teller, work}, return_when=asyncio.FIRST_COMPLETED)
            (teller if teller.done() else work).result()
        finally:
            await end_tasks(teller, work)
        canceled = self.canceling.is_set()
        end = end_of(orders, self._filled, canceled=canceled)
        reasons = [] if end is End.COMPLETED else reasons_of(orders, self._filled)
        await self._report(end, [self._stopped, *reasons] if self._stopped else reasons)

    async def _tell(self) -> None:
        """Report what is new, one report at a time: what comes meanwhile goes with the next. Ends only by an error."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._report(None, [])

    async def _work_all(self, orders: Sequence[PlannedOrder]) -> None:
        gate = asyncio.Semaphore(AT_ONCE_MAX)
        for reducing in (True, False):  # margin that reducing orders free is there for the increasing ones
            group = [asyncio.create_task(self._work(each, gate)) for each in orders if each.reduce_only is reducing]
            try:
                await asyncio.gather(*group)
            finally:
                await end_tasks(*group)

    async def _work(self, order: PlannedOrder, gate: asyncio.Semaphore) -> None:
        """All slices of an order, one after the other, at the plan's pace."""
        async with gate:
            interval = self.run.plan.slice_interval.ToTimedelta().total_seconds()
            for number in range(len(order.slices)):
                if number and interval:
                    await first_of(self.clock.sleep(interval), self.canceling.wait())
                if not await self._slice(order, number):
                    return

    async def _slice(self, order: PlannedOrder, number: int) -> bool:
        """Up to three tries; whether the next slice may follow."""
        left = order.slice_parts(number)
        for attempt in range(1, TRIES + 1):
            key = self._key(order, left, number, attempt)
            status = await self._known(key) if self.run.progress else None  # another tenure may have sent it
            if status is None:
                if self.canceling.is_set() or self._stopped:
                    return self._stop(order, "CANCELED" if self.canceling.is_set() else "STOPPED")
                status = await self._send(order, key, left)
            if status is None:
                return False
            closed = await self._closed(order.symbol, key, status)
            left = self._book(closed, left)
            self._news.set()
            if not left:
                return True
            if closed.view in (orderpb.ORDER_VIEW_DENIED, orderpb.ORDER_VIEW_REJECTED):
                return self._refused(order, closed)
            self.prices.forget()
        last = f"the last {orderpb.OrderView.Name(closed.view).removeprefix('ORDER_VIEW_')} {closed.message}".rstrip()
        return self._stop(order, f"NOT_FILLED: {abs(net_of(left))} missing after {TRIES} tries, {last}")

    def _book(self, status: orderpb.OrderStatus, parts: tuple[LegPart, ...]) -> tuple[LegPart, ...]:
        """Count what an order has traded of its parts; what is left of them."""
        left = []
        for part, trade in zip(parts, trades_of(status, parts), strict=True):
            before = self._filled.get(part.leg, Filled())
            self._filled[part.leg] = before.with_trade(abs(trade.quantity), abs(trade.notional), trade.fees)
            if (rest := less(part, trade.quantity)).quantity:
                left.append(rest)
        return tuple(left)

    def _refused(self, order: PlannedOrder, status: orderpb.OrderStatus) -> bool:
        """A rule or the venue said no: its legs end, and the run where the rule is about all of it."""
        name = _denial(status) or "REJECTED"
        if name in STOPPING:
            self._stopped = self._stopped or shortened(f"{name}: {status.message}", 500)
        return self._stop(order, f"{name}: {status.message}")

    def _stop(self, order: PlannedOrder, reason: str) -> bool:
        for part in order.parts:
            filled = self._filled.get(part.leg, Filled())
            if filled.quantity != abs(part.quantity):
                self._filled[part.leg] = filled.because(shortened(reason, 400))
        return False

    async def _send(
        self, order: PlannedOrder, key: orderpb.OrderKey, parts: tuple[LegPart, ...]
    ) -> orderpb.OrderStatus | None:
        """The order's status once it was taken or denied; None: the leg cannot be sent, and says why."""
        begun = self.clock.monotonic()
        while True:
            if self.canceling.is_set():
                self._stop(order, "CANCELED")
                return None
            try:
                price = await self.prices.of(order.symbol)
                if price is not None and price.ended and net_of(parts):  # shares that cross need no bar
                    self._stop(order, f"NO_BARS_LEFT: the session of {order.symbol} has ended, no order in it fills")
                    return None
                wanted = None if price is None else await self._order(order, key, parts, price)
                if wanted is None:
                    self._stop(order, "MARK_MISSING: no price of the symbol, or a weight of 0")
                    return None
                metadata = (("x-allow-live", "true"),) if self.run.allow_live else ()
                status = await self._submitted(wanted, metadata)
                if not is_asked_again(_denial(status), self.clock.monotonic() - begun):
                    return status
                log.warning("rebalance_order_waits", run=self.run.run_id, order=key.client_order_id,
                            error=status.message)  # fmt: skip
                await self._pause(LOOK_MAX_S)
            except Conflict as error:  # another tenure sent it at another price
                known = await self._known(key)
                if known is None:
                    self._stop(order, f"{error.reason}: {error.message}")
                return known
            except AWAY as error:
                log.warning(
                    "rebalance_order_not_sent", run=self.run.run_id, order=key.client_order_id, error=str(error)
                )
                await self._pause(LOOK_MAX_S)
            except QmtlError as error:
                self._stopped = self._stopped or shortened(f"{error.reason}: {error.message}", 500)
                self._stop(order, f"{error.reason}: {error.message}")
                return None

    async def _submitted(self, wanted: orderpb.Order, metadata: Metadata) -> orderpb.OrderStatus:
        if wanted.shares:
            return (await self.gate.submit_netted(wanted, metadata, self.domain)).status
        return (await self.gate.submit(wanted, gated_order_from_proto(wanted), metadata, self.domain)).status

    async def _order(
        self, order: PlannedOrder, key: orderpb.OrderKey, parts: tuple[LegPart, ...], price: Price
    ) -> orderpb.Order | None:
        """None: a weight of 0 adds nothing."""
        net = net_of(parts)
        slippage = Decimal(self.run.request.slippage_max_bps or SLIPPAGE_BPS)
        limit = limit_price(price.mark, price.tick, buys=net >= 0, slippage_bps=slippage)
        wanted = orderpb.Order(
            account=key.account, world_id=key.world_id, strategy_id=key.strategy_id,
            client_order_id=key.client_order_id, symbol=order.symbol,
            side=orderpb.ORDER_SIDE_BUY if net >= 0 else orderpb.ORDER_SIDE_SELL,
            type=orderpb.ORDER_TYPE_LIMIT, quantity=f"{abs(net):f}", limit_price=f"{limit:f}",
            time_in_force=orderpb.TIME_IN_FORCE_IOC, tags=["rebalance"],
        )  # fmt: skip
        if isinstance(order, NettedOrder):
            wanted.world_id = wanted.strategy_id = NETTING
            wanted.client_order_id = key.client_order_id.removesuffix(CROSSED)
            wanted.shares.extend(shares_to_proto(parts))
            return wanted
        wanted.reduce_only = order.reduce_only
        if not order.reduce_only:
            target = position_target(order.target, self._weight(order), price.lot, price.places)
            if target is None:
                return None
            wanted.position_target = f"{target:f}"
            if order.strategy_id != OVERLAY:  # a run trades for all of the strategy, whichever version the symbol is of
                wanted.strategy_version = await self.gate.shares.routed(order.strategy_id, order.symbol)
        return wanted

    def _weight(self, order: LegOrder) -> Decimal:
        """The weight that brokerage will scale by: of the entry as the gate holds it. The gate refuses unknown ones."""
        gate = self.gate.activations.gate(order.world_id)
        if gate is None:
            return Decimal(1)
        side = Side.LONG if order.target > 0 else Side.SHORT
        entry = gate.entries.get((order.strategy_id, side))
        return Decimal(1) if entry is None else entry.weight

    async def _known(self, key: orderpb.OrderKey) -> orderpb.OrderStatus | None:
        """An order that was sent before. None: brokerage has none of this id."""
        while True:
            try:
                found = await self.peers.orders.GetOrder(orderservicepb.GetOrderRequest(key=key))
                return found.status
            except NotFound:
                return None
            except AWAY as error:
                log.warning("rebalance_order_unread", run=self.run.run_id, order=key.client_order_id, error=str(error))
                await self._pause(LOOK_MAX_S)

    async def _closed(self, symbol: str, key: orderpb.OrderKey, status: orderpb.OrderStatus) -> orderpb.OrderStatus:
        """The order once it is closed; a cancel closes it, as the end of its session does; an unknown outcome is
        awaited.
        """
        wait_s, asked = LOOK_S, False
        while status.view not in CLOSED:
            if not asked and (self.canceling.is_set() or await self._is_over(symbol)):
                asked = await self._cancel(key)
            await self._pause(wait_s)
            wait_s = min(wait_s * 2, LOOK_MAX_S)
            found = await self._known(key)
            status = status if found is None else found
        return status

    async def _is_over(self, symbol: str) -> bool:
        """Whether no bar comes any more that an order could trade in."""
        try:
            price = await self.prices.of(symbol)
        except QmtlError:  # the order goes on, and is asked for again
            return False
        return price is not None and price.ended

    async def _cancel(self, key: orderpb.OrderKey) -> bool:
        try:
            await self.peers.order_entry.CancelOrder(orderentryservicepb.CancelOrderRequest(key=key))
        except QmtlError as error:
            log.warning("rebalance_order_not_canceled", order=key.client_order_id, error=str(error))
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        """Raises Conflict (E_REBALANCE_EPOCH) once the lease may be another's."""
        await self.clock.sleep(seconds)
        if not self.held():
            raise Conflict("E_REBALANCE_EPOCH", f"the lease of account {self.run.account} is lost")

    async def _report(self, end: End | None, reasons: Sequence[str]) -> None:
        """Told until it is taken. Raises Conflict, NotReady where the run is another's or closed."""
        state = None if end is None else f"REBALANCE_STATE_{end.name}"
        legs = progress_to_proto(self.run.plan.legs, self._filled)
        request = progressservicepb.ReportRebalanceRequest(
            account=self.run.account, run_id=self.run.run_id, epoch=self.epoch, progress=legs, end=state,
            reasons=reasons,
        )  # fmt: skip
        while True:
            try:
                await self.peers.rebalances.ReportRebalance(request)
                return
            except AWAY as error:
                log.warning("rebalance_not_reported", run=self.run.run_id, error=str(error))
                await self._pause(LOOK_MAX_S)

    def _key(self, order: PlannedOrder, parts: tuple[LegPart, ...], number: int, attempt: int) -> orderpb.OrderKey:
        """The name of a try; of parts that trade with each other only that of what the first gets."""
        name = order_id(self.run.run_id, order.leg, number, attempt)
        if isinstance(order, LegOrder):
            world_id, strategy_id = order.world_id, order.strategy_id
        elif net_of(parts):
            world_id = strategy_id = NETTING
        else:
            world_id, strategy_id, name = parts[0].world_id, parts[0].strategy_id, name + CROSSED
        return orderpb.OrderKey(
            account=self.run.account, world_id=world_id, strategy_id=strategy_id, client_order_id=name
        )


def _denial(status: orderpb.OrderStatus) -> str:
    """The name of what denied an order; "" if nothing did."""
    return orderpb.Denial.Name(status.denial).removeprefix("DENIAL_") if status.denial else ""
