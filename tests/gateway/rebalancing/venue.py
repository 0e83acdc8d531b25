"""Peers of an executor that speak their contracts: a book that takes each id once, a venue of bars, a run's record.

The executor can be killed at any call, before the call has an effect or after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.orders.gate import OrderGate
from gateway.peers import Peers
from gateway.rebalancing.driver import RunDriver
from gateway.rebalancing.prices import Prices
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Conflict, NotFound, Unavailable
from qmtl.core.modes import ExecutionDomain
from qmtl.core.netting.attribution import attributed
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb

LOT = Decimal("0.1")
Leg = tuple[str, str, str, str, bool]  # world, strategy, quantity held, change, whether it only reduces


class QuickClock(VirtualClock):
    """Time goes on as fast as somebody waits for it."""

    async def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.001))
        await asyncio.sleep(0)


class Venue:
    """Everything that an executor asks. `fills`: the part of each try that trades, by the number of the try."""

    def __init__(self, run: rebalancepb.RebalanceRun, fills: Sequence[str] = ("0.5", "1")) -> None:
        self.run, self.fills = run, [Decimal(each) for each in fills]
        self.held = {(leg.world_id, leg.strategy_id): Decimal(leg.quantity) for leg in run.plan.legs}
        self.orders: dict[str, orderpb.OrderStatus] = {}
        self.ended = False
        self.weights = {1: "1"}  # of the versions of every strategy
        self.reports = 0
        self.calls, self.kill_at = 0, (0, True)  # after how many calls, and whether the last one has its effect
        self.away = 0  # how many calls to brokerage fail before it is back
        self._killed: asyncio.Task[None] | None = None

    async def execute(self, epoch: int = 1) -> None:
        """One tenure of an executor: to the run's end, or until it is killed."""
        clock = QuickClock(datetime(2026, 3, 2, tzinfo=UTC))
        stubs = "gates", "sentinels", "orders", "order_entry", "portfolios", "instruments", "rebalances"
        peers = cast(Peers, SimpleNamespace(**dict.fromkeys(stubs, self)))
        activations = HeldActivations(peers, clock, "g1", 1.0)
        await activations.renew()
        gate = OrderGate(peers, activations, CanaryShares(peers, clock), lambda: True, clock)
        prices, run = Prices("main", "paper", peers, clock), rebalancepb.RebalanceRun()
        run.CopyFrom(self.run)
        driver = RunDriver(run, epoch, peers, gate, prices, ExecutionDomain.DRYRUN, clock, lambda: True)
        self._killed = asyncio.create_task(driver.drive())
        await asyncio.wait({self._killed})
        if not self._killed.cancelled():
            self._killed.result()

    async def OpenGateSession(
        self,
        request: gateservicepb.OpenGateSessionRequest,
        timeout: float,  # noqa: ASYNC109  # as stubs take it
    ) -> gateservicepb.OpenGateSessionResponse:
        answer = gateservicepb.OpenGateSessionResponse()
        answer.session.ttl.FromTimedelta(timedelta(days=1))
        worlds = {leg.world_id for leg in self.run.plan.legs}
        mode = commonpb.EFFECTIVE_MODE_PAPER
        for world in sorted(worlds):
            entries = [
                activationpb.ActivationEntry(
                    strategy_id=strategy, side=side, active=True, weight="1", effective_mode=mode
                )
                for _, strategy in sorted(self.held)
                for side in (commonpb.SIDE_LONG, commonpb.SIDE_SHORT)
            ]
            answer.activations.add(
                world_id=world, world_revision=1, fence_epoch=1, effective_mode=mode, entries=entries
            )
        return answer

    async def ListSentinels(
        self,
        request: sentinelservicepb.ListSentinelsRequest,
        timeout: float,  # noqa: ASYNC109  # as stubs take it
    ) -> sentinelservicepb.ListSentinelsResponse:
        await self._call()
        found = [sentinelpb.Sentinel(version=number, traffic_weight=each) for number, each in self.weights.items()]
        return sentinelservicepb.ListSentinelsResponse(sentinels=found)

    async def GetPortfolio(
        self, request: portfolioservicepb.GetPortfolioRequest
    ) -> portfolioservicepb.GetPortfolioResponse:
        await self._call(brokerage=True)
        marks = [portfoliopb.SymbolMark(symbol="BTC", price="60000", ended=self.ended)]
        return portfolioservicepb.GetPortfolioResponse(portfolio=portfoliopb.Portfolio(marks=marks))

    async def GetInstrument(
        self, request: instrumentservicepb.GetInstrumentRequest
    ) -> instrumentservicepb.GetInstrumentResponse:
        await self._call(brokerage=True)
        found = instrumentpb.Instrument(symbol="BTC", tick="0.01", lot=str(LOT), quantity_places=8)
        return instrumentservicepb.GetInstrumentResponse(instrument=found)

    async def GetOrder(self, request: orderservicepb.GetOrderRequest) -> orderservicepb.GetOrderResponse:
        """Each look is a bar later."""
        await self._call(brokerage=True)
        name = request.key.client_order_id
        if name not in self.orders:
            raise NotFound("E_ORDER_UNKNOWN", name)
        self._bar(self.orders[name])
        await self._after()
        return orderservicepb.GetOrderResponse(status=self.orders[name])

    async def SubmitOrder(
        self, request: orderentryservicepb.SubmitOrderRequest
    ) -> orderentryservicepb.SubmitOrderResponse:
        await self._call(brokerage=True)
        status = self._take(request.order)
        await self._after()
        return orderentryservicepb.SubmitOrderResponse(status=status)

    async def SubmitNettedOrder(
        self, request: orderentryservicepb.SubmitNettedOrderRequest
    ) -> orderentryservicepb.SubmitNettedOrderResponse:
        await self._call(brokerage=True)
        status = self._take(request.order)
        await self._after()
        return orderentryservicepb.SubmitNettedOrderResponse(status=status)

    async def CancelOrder(
        self, request: orderentryservicepb.CancelOrderRequest
    ) -> orderentryservicepb.CancelOrderResponse:
        await self._call(brokerage=True)
        self.orders[request.key.client_order_id].view = orderpb.ORDER_VIEW_CANCELED
        await self._after()
        return orderentryservicepb.CancelOrderResponse()

    async def ReportRebalance(
        self, request: progressservicepb.ReportRebalanceRequest
    ) -> progressservicepb.ReportRebalanceResponse:
        await self._call()
        if request.epoch < self.run.revision:
            raise Conflict("E_REBALANCE_EPOCH", "another executor has taken over")
        self.run.revision, self.reports = request.epoch, self.reports + 1
        del self.run.progress[:]
        self.run.progress.extend(request.progress)
        if request.end:
            self.run.state = request.end
            self.run.reasons.extend(request.reasons)
        await self._after()
        return progressservicepb.ReportRebalanceResponse()

    async def _call(self, *, brokerage: bool = False) -> None:
        self.calls += 1
        if self.kill_at == (self.calls, False):
            await self._kill()
        if brokerage and self.away:
            self.away -= 1
            raise Unavailable("E_UNREACHABLE", "brokerage is away")

    async def _after(self) -> None:
        if self.kill_at == (self.calls, True):
            await self._kill()

    async def _kill(self) -> None:
        assert self._killed is not None
        self._killed.cancel()
        await asyncio.Event().wait()

    def _take(self, order: orderpb.Order) -> orderpb.OrderStatus:
        """An id is taken once; with other content it is refused."""
        known = self.orders.get(order.client_order_id)
        if known is not None and known.order != order:
            raise Conflict("E_ORDER_CONFLICT", order.client_order_id)
        if known is None:
            known = orderpb.OrderStatus(order=order, view=orderpb.ORDER_VIEW_NEW)
            self.orders[order.client_order_id] = known
            if order.shares and not sum(Decimal(each.quantity) for each in order.shares):
                self._cross(known)
        answer = orderpb.OrderStatus()
        answer.CopyFrom(known)
        return answer

    def _cross(self, status: orderpb.OrderStatus) -> None:
        """Shares that add up to nothing trade at once, and what the first got is an order of its own."""
        for share in status.order.shares:
            self.held[share.world_id, share.strategy_id] += Decimal(share.quantity)
        status.view, status.average_price = orderpb.ORDER_VIEW_FILLED, "60000"
        first = orderpb.OrderStatus(view=status.view, average_price="60000")
        self.orders[f"{status.order.client_order_id}.0"] = first

    def _bar(self, status: orderpb.OrderStatus) -> None:
        if status.view != orderpb.ORDER_VIEW_NEW or self.ended:
            return
        order, attempt = status.order, int(status.order.client_order_id.rpartition("-")[2])
        part = self.fills[min(attempt, len(self.fills)) - 1]
        lots = int(Decimal(order.quantity) / LOT * part)
        status.cumulative_quantity, status.average_price = str(lots * LOT), "60000"
        status.view = orderpb.ORDER_VIEW_FILLED if part == 1 else orderpb.ORDER_VIEW_EXPIRED
        for owner, quantity in self._booked(order, lots):
            self.held[owner] += quantity
            if order.shares:
                status.share_fills.add(
                    world_id=owner[0], strategy_id=owner[1], quantity=str(quantity), notional=str(quantity * 60_000)
                )

    def _booked(self, order: orderpb.Order, lots: int) -> Iterator[tuple[tuple[str, str], Decimal]]:
        if not order.shares:
            sign = 1 if order.side == orderpb.ORDER_SIDE_BUY else -1
            yield (order.world_id, order.strategy_id), sign * lots * LOT
            return
        steps = [int(Decimal(each.quantity) / LOT) for each in order.shares]
        for share, got in zip(order.shares, attributed(steps, lots, [0] * len(steps)), strict=True):
            yield (share.world_id, share.strategy_id), got * LOT


def run_of(*legs: Leg, netted: bool = False, slices: int = 1) -> rebalancepb.RebalanceRun:
    """A run whose plan changes positions in BTC, per leg or netted in one order."""
    run = rebalancepb.RebalanceRun(account="main", run_id="r1", state=rebalancepb.REBALANCE_STATE_EXECUTING)
    for world, strategy, quantity, delta, reduces in legs:
        run.plan.legs.add(
            world_id=world, strategy_id=strategy, symbol="BTC", quantity=quantity, rounded=delta, reduce_only=reduces
        )
    if netted:
        run.plan.execution = rebalancepb.REBALANCE_EXECUTION_NETTED
        net = sum(Decimal(leg.rounded) for leg in run.plan.legs)
        run.plan.orders.add(
            symbol="BTC", quantity=str(net), lot=str(LOT), legs=range(len(legs)), slices=[str(net)] if net else [],
            shares=[str(int(Decimal(leg.rounded) / LOT)) for leg in run.plan.legs],
        )  # fmt: skip
        return run
    for index, leg in enumerate(run.plan.legs):
        each = Decimal(leg.rounded) / slices
        run.plan.orders.add(
            symbol="BTC", quantity=leg.rounded, lot=str(LOT), legs=[index], slices=[str(each)] * slices,
            reduce_only=leg.reduce_only,
        )  # fmt: skip
    return run
