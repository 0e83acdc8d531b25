"""From commands to orders in a live session: what the planner wants, the activation allows and the gate lets pass.

An order's name is made of its symbol and bar, so repeating a call is no second order. What is open or held is
asked of brokerage at each decision, never remembered here; a new target first cancels what an older one left
open. A refusal that says "not now" is tried again on the next bar; one that says "not so" stands until the
target changes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import NotReady, Unavailable
from qmtl.gateway.v1 import service_pb2 as gatewayservicepb
from qmtl.sdk.data.bars import to_ns
from qmtl.sdk.engine.streaming import Emission
from qmtl.sdk.execution.planner import Planner, order_name
from qmtl.sdk.execution.port import Holding, Intent
from qmtl.sdk.execution.run_record import DeniedOrder
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.activation import ActivationView
from qmtl.sdk.mesh.session.order_events import list_orders
from qmtl.sdk.mesh.session.portfolio import portfolio_at
from qmtl.sdk.mesh.wire.orders import OrderOwner, expected_quantity, is_open, order_key, order_to_proto
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.sdk.strategy.events import Signal

NOT_NOW = frozenset(
    {
        brokerpb.DENIAL_FENCED,
        brokerpb.DENIAL_GATE_ACTIVATION_UNKNOWN,
        brokerpb.DENIAL_GATE_ACTIVATION_STALE,
        brokerpb.DENIAL_GATE_INACTIVE,
        brokerpb.DENIAL_GATE_FROZEN,
        brokerpb.DENIAL_GATE_MODE_FORBIDS_ORDERS,
        brokerpb.DENIAL_GATE_OUTSIDE_WINDOW,
        brokerpb.DENIAL_GATE_SESSION_LAPSED,
        brokerpb.DENIAL_GATE_NOT_BOUND,
    }
)
log = logging.getLogger("qmtl.sdk")


class Trader:
    """The orders of one strategy on one account."""

    def __init__(self, line: RetryingClient, desk: OrderOwner, assembled: Assembled, view: ActivationView) -> None:
        self._line = line
        self._client = line.client
        self._desk = desk
        self._strategy = assembled.strategy
        self._names = assembled.dag.names
        self._view = view
        self._planners = {rule.command.node_id: Planner(rule) for rule in assembled.rules}
        self._signalled = dict.fromkeys(self._planners, 0.0)
        self._sent: frozenset[str] = frozenset()
        self._done: frozenset[str] = frozenset()
        self.refusals: list[DeniedOrder] = []

    async def recall(self) -> None:
        """Learn what an earlier process of this session has ordered."""
        statuses = await list_orders(self._line, self._desk)
        self._sent = frozenset(s.order.client_order_id for s in statuses)
        self._done = frozenset(s.order.client_order_id for s in statuses if s.denial not in NOT_NOW)

    def watch(self, emissions: Iterable[Emission]) -> None:
        """Commands of bars that were played before this process joined: remember what was acted on, send nothing."""
        for emission in emissions:
            planner = self._planners.get(emission.vertex.node_id)
            if planner is not None and order_name(planner.rule.symbol, emission.time_ns) in self._done:
                planner.last = emission.row[0]

    async def act(self, emissions: Iterable[Emission]) -> None:
        """Commands of a live bar; what an earlier process sent for it stands."""
        for emission in emissions:
            planner = self._planners.get(emission.vertex.node_id)
            if planner is None:
                continue
            if order_name(planner.rule.symbol, emission.time_ns) in self._sent:
                self.watch([emission])
            else:
                await self._act(planner, emission)

    async def _act(self, planner: Planner, emission: Emission) -> None:
        target, price = emission.row
        self._signal(emission, target)
        entries = self._view.entries(self._desk.strategy_id, self._now_ns())
        if target == planner.last or not entries:
            return
        before = planner.last
        holding = await self._holding(planner.rule.symbol, emission.time_ns)
        intent = planner.plan(emission.time_ns, target, price, holding)
        if intent is None:
            return
        passing = self._passing(intent, holding.expected)
        status = None if passing is None else await self._send(passing)
        if (
            passing != intent
            or status is None
            or (status.state == brokerpb.ORDER_STATE_DENIED and status.denial in NOT_NOW)
        ):
            planner.last = before
        if status is not None and status.state == brokerpb.ORDER_STATE_DENIED:
            self._refused(status, emission.time_ns)

    def _signal(self, emission: Emission, target: float) -> None:
        key = emission.vertex.node_id
        if target != self._signalled[key]:
            self._signalled[key] = target
            self._strategy.on_signal(Signal(self._names[key], emission.time_ns, target))

    def _passing(self, intent: Intent, held: Decimal) -> Intent | None:
        """The order as far as the activation lets it: whole, or only what closes a position it would turn round."""
        if self._allowed(intent, held):
            return intent
        turns = intent.quantity * held < 0 and abs(intent.quantity) > abs(held)
        closing = replace(intent, quantity=-held)
        return closing if turns and self._allowed(closing, held) else None

    def _allowed(self, intent: Intent, held: Decimal) -> bool:
        after = held + intent.quantity
        long = after > 0 or (after == 0 and held > 0)
        side = commonpb.SIDE_LONG if long else commonpb.SIDE_SHORT
        return self._view.allows(self._desk.strategy_id, side, reduces=abs(after) < abs(held), now_ns=self._now_ns())

    def _now_ns(self) -> int:
        """Real time: an activation's window is not in the data time of a replay."""
        return to_ns(self._line.clock.now())

    async def _holding(self, symbol: str, time_ns: int) -> Holding:
        """What is held at a bar's close once nothing is open: orders of an older target are cancelled, what they got
        is kept. The venue must have seen the bar first: it may fill them, and it moves the equity.
        """
        portfolio = await portfolio_at(self._line, self._desk, time_ns)
        statuses = await list_orders(self._line, self._desk)
        left = [await self._cancel(s) if is_open(s) and s.order.symbol == symbol else s for s in statuses]
        return Holding(expected_quantity(left, symbol), parse_decimal(portfolio.equity, "portfolio.equity"))

    async def _cancel(self, status: brokerpb.OrderStatus) -> brokerpb.OrderStatus:
        request = gatewayservicepb.CancelOrderRequest(key=order_key(status.order))
        reply = await self._line.ask(lambda: self._client.gateway.CancelOrder(request), "cancel")
        log.info("cancelled %s", status.order.client_order_id)
        return reply.status

    async def _send(self, intent: Intent) -> brokerpb.OrderStatus:
        request = gatewayservicepb.SubmitOrderRequest(order=order_to_proto(self._desk, intent))

        async def call() -> gatewayservicepb.SubmitOrderResponse:
            try:
                return await self._client.gateway.SubmitOrder(request)
            except NotReady as error:
                if error.reason != "E_STALE_EPOCH":
                    raise
                raise Unavailable(error.reason, error.message, hint=error.hint) from error

        status = (await self._line.ask(call, "order")).status
        state = brokerpb.OrderState.Name(status.state).removeprefix("ORDER_STATE_")
        log.info("order %s of %s %s: %s", intent.client_order_id, intent.quantity, intent.symbol, state)
        return status

    def _refused(self, status: brokerpb.OrderStatus, time_ns: int) -> None:
        rule = brokerpb.Denial.Name(status.denial).removeprefix("DENIAL_")
        if not self.refusals or self.refusals[-1].rule != rule or status.denial not in NOT_NOW:
            self.refusals.append(DeniedOrder(status.order.client_order_id, rule, time_ns))
