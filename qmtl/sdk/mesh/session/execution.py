"""The execution port over the gateway: a strategy's orders on its account.

What is open or held is asked of brokerage at each decision, never remembered here. An order's id is made of its symbol
and bar, so repeating a call is no second order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokerage.domain.backtest.direct import fee_bound
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.orders.denials import FINAL
from brokerage.domain.orders.order import DEMOTION, MARGIN_CALL, OPERATOR, Owner
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import NotReady, Unavailable
from qmtl.core.instants import to_ns
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.sdk.execution.holdings import Holding
from qmtl.sdk.execution.legs import Promotion, Route
from qmtl.sdk.execution.port import (
    WHOLE,
    AskFee,
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    AskWorkingOrders,
    Cancel,
    FeeEstimate,
    HeldPosition,
    LimitOrder,
    ListedOrder,
    MarketOrder,
    OrderReply,
    Permission,
    Request,
    Submit,
    SubmitExit,
    SubmitList,
    Weights,
    WorkingOrder,
)
from qmtl.sdk.mesh.instruments import instrument_of
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.portfolio import FollowedPortfolio, capital_of, quantity_held
from qmtl.sdk.mesh.session.account.profile import is_live, profile_of
from qmtl.sdk.mesh.session.activation import FollowedActivation
from qmtl.sdk.mesh.session.order_events import list_orders
from qmtl.sdk.mesh.wire.orders import is_open, list_to_proto, open_quantity, order_key, order_to_proto

FINAL_DENIALS = frozenset(orderpb.Denial.Value(f"DENIAL_{denial.name}") for denial in FINAL)
"""Denials that no later bar lifts; what is denied by another is tried again."""

OTHERS = frozenset({MARGIN_CALL, OPERATOR, DEMOTION})
"""Tags of orders that others have sent for the strategy: a margin call, a flatten by hand, the close of a demotion."""

LIVE_CONSENT = (("x-allow-live", "true"),)
"""Says to the gateway's live guard that live trading is meant: whoever runs the session has said so."""

log = logging.getLogger("qmtl.sdk.mesh.session")


@dataclass(frozen=True, slots=True)
class SessionMarket:
    """What a session trades: instruments as the brokerage knows them, what its account is charged, whether orders go to
    an exchange, and as which version of the strategy.
    """

    instruments: Mapping[str, Instrument]
    fee: FeeModel
    is_live: bool = False
    version: int = 0

    @property
    def domain(self) -> commonpb.ExecutionDomain:
        """The execution domain of its orders."""
        return commonpb.EXECUTION_DOMAIN_LIVE if self.is_live else commonpb.EXECUTION_DOMAIN_DRYRUN


async def session_market(retrying: RetryingClient, account: accountpb.Account, symbols: Iterable[str]) -> SessionMarket:
    """The market of a session, asked of the brokerage. Raises NotFound (E_INSTRUMENT_UNKNOWN)."""
    found = {symbol: await instrument_of(retrying, symbol, account.venue) for symbol in symbols}
    return SessionMarket(found, profile_of(account).fee, is_live(account))


class MeshExecution:
    """Answers a decision's requests with the orders of one strategy on one account."""

    def __init__(
        self,
        retrying: RetryingClient,
        owner: Owner,
        activation: FollowedActivation,
        portfolio: FollowedPortfolio,
        market: SessionMarket,
    ) -> None:
        self._retrying = retrying
        self._owner = owner
        self._activation = activation
        self._portfolio = portfolio
        self._market = market
        self._consent = LIVE_CONSENT if market.is_live else ()
        self._cancelled: list[orderpb.OrderStatus] = []
        self._weights = WHOLE

    async def answer(self, request: Request[Any]) -> object:
        """The answer to one request of a decision. Raises NotReady (E_VENUE_BEHIND), and too long an outage."""
        match request:
            case AskPermission():
                return self._permission()
            case AskOpenOrders(symbol=symbol, time_ns=time_ns):
                return await self._open_orders(symbol, time_ns)
            case AskWorkingOrders(symbol=symbol, time_ns=time_ns):
                return await self._working_orders(symbol, time_ns)
            case Cancel(client_order_id=client_order_id):
                await self._cancel(client_order_id)
                return None
            case AskHeldPosition(symbol=symbol, time_ns=time_ns):
                return await self._held(symbol, time_ns)
            case AskFee(symbol=symbol, quantity=quantity, price=price, time_ns=time_ns):
                instrument = self._market.instruments[symbol]
                return FeeEstimate(*fee_bound(instrument, self._market.fee, quantity, price, time_ns))
            case Submit(order=order):
                return await self._submit(order)
            case SubmitExit(order=exit_order):
                return await self._submit(exit_order)
            case SubmitList(list_id=list_id, orders=orders):
                return await self._submit_list(list_id, orders)
        raise TypeError(f"the gateway has no answer to {request!r}")

    async def holding(self, symbol: str, time_ns: int) -> Holding:
        """What the strategy holds of a symbol, once the venue has seen the bar that closes at `time_ns`."""
        portfolio, mine = await self._portfolio.at(time_ns), (self._owner.strategy_id, symbol)
        for held in portfolio.positions:
            if (held.strategy_id, held.symbol) == mine:
                return Holding(
                    parse_decimal(held.quantity, "position.quantity"),
                    parse_decimal(held.average_price, "position.average_price"),
                    parse_decimal(held.unrealized_pnl, "position.unrealized_pnl"),
                )
        return Holding(Decimal(0), Decimal(0), Decimal(0))

    def weights(self) -> Weights:
        """The strategy's weights by the newest activation."""
        known, strategy_id = self._weights, self._owner.strategy_id
        self._weights = Weights(
            self._activation.weight(strategy_id, commonpb.SIDE_LONG, known.long),
            self._activation.weight(strategy_id, commonpb.SIDE_SHORT, known.short),
        )
        return self._weights

    def promotion(self) -> Promotion:
        """When each side of the strategy was promoted, by the newest activation."""
        since, strategy_id = self._activation.live_since_ns, self._owner.strategy_id
        return Promotion(since(strategy_id, commonpb.SIDE_LONG), since(strategy_id, commonpb.SIDE_SHORT))

    def routes(self) -> dict[str, Route]:
        """Whose each symbol is by the newest shares of the strategy's versions."""
        shares, strategy_id, version = self._activation.shares, self._owner.strategy_id, self._market.version
        return {symbol: shares.route(strategy_id, symbol, version) for symbol in self._market.instruments}

    def _permission(self) -> Permission:
        """By real time: an activation's window is not in the data time of a replay."""
        now_ns = to_ns(self._retrying.clock.now())

        def allows(side: commonpb.Side, *, reduces: bool) -> bool:
            return self._activation.allows(
                self._owner.strategy_id, side, reduces=reduces, now_ns=now_ns, domain=self._market.domain
            )

        return Permission(
            long=allows(commonpb.SIDE_LONG, reduces=False),
            short=allows(commonpb.SIDE_SHORT, reduces=False),
            reduce_long=allows(commonpb.SIDE_LONG, reduces=True),
            reduce_short=allows(commonpb.SIDE_SHORT, reduces=True),
        )

    async def _open_orders(self, symbol: str, time_ns: int) -> tuple[str, ...]:
        return tuple(one.client_order_id for one in await self._working_orders(symbol, time_ns))

    async def _working_orders(self, symbol: str, time_ns: int) -> tuple[WorkingOrder, ...]:
        await self._portfolio.at(time_ns)  # the venue may fill orders with this bar: it must have seen it
        self._cancelled.clear()
        statuses = await list_orders(self._retrying, self._owner, symbol=symbol, open_only=True)
        called = [status for status in statuses if not OTHERS.isdisjoint(status.order.tags)]
        self._cancelled += called  # not this strategy's to cancel; what they take off is expected all the same
        return tuple(_working(status) for status in statuses if status not in called)

    async def _cancel(self, client_order_id: str) -> None:
        request = tradingservicepb.CancelOrderRequest(key=order_key(self._owner, client_order_id))
        reply = await self._retrying.ask(lambda: self._retrying.client.trading.CancelOrder(request), "cancel")
        log.info("cancelled %s", client_order_id)
        self._cancelled.append(reply.status)

    async def _held(self, symbol: str, time_ns: int) -> HeldPosition:
        """Held, and what a cancelled order may still bring where its venue has not confirmed the cancel. An exchange
        fills between bars: the book of this moment has what was filled before its orders were listed.
        """
        portfolio, coming = await self._portfolio.at(time_ns), Decimal(0)
        if self._cancelled or self._market.is_live:
            portfolio, coming = await self._read(symbol)
        held = quantity_held(portfolio, self._owner, symbol)
        instrument = self._market.instruments[symbol]
        lot, tick = instrument.quantity_decimal(instrument.lot), instrument.price_decimal(instrument.tick)
        return HeldPosition(held + coming, capital_of(portfolio, self._owner), lot, tick)

    async def _read(self, symbol: str) -> tuple[portfoliopb.Portfolio, Decimal]:
        """The book, and what cancelled orders may still bring to it: what is filled meanwhile counts once."""
        while True:
            before = {one.order.client_order_id: open_quantity(one) for one in self._cancelled if is_open(one)}
            portfolio = await self._portfolio.read()
            listed = await list_orders(self._retrying, self._owner, symbol=symbol, open_only=True) if before else []
            self._cancelled = [one for one in listed if one.order.client_order_id in before]
            if before == {one.order.client_order_id: open_quantity(one) for one in self._cancelled}:
                return portfolio, sum(before.values(), Decimal(0))

    async def _submit(self, order: MarketOrder | LimitOrder | ListedOrder) -> OrderReply:
        request = tradingservicepb.SubmitOrderRequest(order=order_to_proto(self._owner, order, self._market.version))

        async def call() -> tradingservicepb.SubmitOrderResponse:
            with _retried():
                return await self._retrying.client.trading.SubmitOrder(request, metadata=self._consent)

        return _replied([(await self._retrying.ask(call, "order")).status])

    async def _submit_list(self, list_id: str, orders: Sequence[ListedOrder]) -> OrderReply:
        listed = list_to_proto(self._owner, list_id, orders, self._market.version)
        request = tradingservicepb.SubmitOrderListRequest(orders=listed)

        async def call() -> tradingservicepb.SubmitOrderListResponse:
            with _retried():
                return await self._retrying.client.trading.SubmitOrderList(request, metadata=self._consent)

        return _replied((await self._retrying.ask(call, "list")).statuses)


def _working(status: orderpb.OrderStatus) -> WorkingOrder:
    limit = status.order.limit_price
    price = parse_decimal(limit, "order.limit_price") if limit else None
    return WorkingOrder(status.order.client_order_id, open_quantity(status), price)


@contextmanager
def _retried() -> Iterator[None]:
    """An epoch that is behind is asked again, as a service that is away is."""
    try:
        yield
    except NotReady as error:
        if error.reason != "E_STALE_EPOCH":
            raise
        raise Unavailable(error.reason, error.message, hint=error.hint) from error


def _replied(statuses: Sequence[orderpb.OrderStatus]) -> OrderReply:
    """What became of orders that were sent together; of those denied, the first that a rule of its own denied."""
    for status in statuses:
        order, state = status.order, orderpb.OrderState.Name(status.state).removeprefix("ORDER_STATE_")
        side = orderpb.OrderSide.Name(order.side).removeprefix("ORDER_SIDE_")
        log.info("order %s to %s %s %s: %s", order.client_order_id, side, order.quantity, order.symbol, state)
    for status in statuses:
        if status.state == orderpb.ORDER_STATE_DENIED and status.denial != orderpb.DENIAL_LIST_DENIED:
            rule = orderpb.Denial.Name(status.denial).removeprefix("DENIAL_")
            return OrderReply(rule, status.message, status.denial in FINAL_DENIALS)
    return OrderReply()
