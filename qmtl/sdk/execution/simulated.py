"""The execution port over a simulated account: every request is answered at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.direct import Ticket
from brokerage.domain.backtest.fill_view import FillView
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import FINAL, Denial
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import MARGIN_CALL, Order, Owner, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import EventKind, OrderType
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import (
    UNRESTRICTED,
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
    Request,
    SentOrder,
    Submit,
    SubmitList,
    WorkingOrder,
)
from qmtl.sdk.execution.records.traces import Columns, Trace


class SimulatedExecution:
    """Answers requests from one simulated account; `on_events` hears of what each order led to.

    `weight` is what a gate would stamp, a rate of 1e-8. `orders` and `cancels` are all that was asked for. `direct`:
    orders that no rule can refuse are taken without events of their own.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        currency: str,
        on_events: Callable[[Sequence[OrderEvent]], None],
        weight: int = RATE_ONE,
        *,
        direct: bool = False,
    ) -> None:
        self.weight = weight
        self.orders: Trace[SentOrder] = Trace()
        self.cancels: list[Cancel] = []
        self._sent = 0
        self._direct = direct
        self._account = account
        self._currency = currency
        self._on_events = on_events

    def answer(self, request: Request[Any]) -> object:
        """The answer to one request of a decision."""
        match request:
            case AskPermission():
                return UNRESTRICTED
            case AskOpenOrders(symbol=symbol):
                return tuple(record.order.client_order_id for record in self._own_orders(symbol))
            case AskWorkingOrders(symbol=symbol):
                return tuple(self._working(record) for record in self._own_orders(symbol))
            case Cancel(client_order_id=client_order_id, time_ns=time_ns):
                self.cancels.append(replace(request, orders_before=self._sent))
                event = self._account.cancel(client_order_id, time_ns)
                self._on_events(() if event is None else (event,))
                return None
            case AskHeldPosition(symbol=symbol):
                lot = self._account.lot(symbol)
                tick = self._account.tick(symbol)
                return HeldPosition(self._expected(symbol), self._account.equity(self._currency), lot, tick)
            case AskFee(symbol=symbol, quantity=quantity, price=price, time_ns=time_ns):
                money, withheld = self._account.fee_bound(symbol, quantity, price, time_ns)
                return FeeEstimate(money, withheld)
            case Submit(order=order):
                return self._submit(order)
            case SubmitList(list_id=list_id, orders=orders):
                self.orders.append(request)
                self._sent += len(orders)
                return self._submit_list(list_id, orders)
        raise TypeError(f"a simulated account has no answer to {request!r}")

    def sent(self, orders: Columns[SentOrder], number: int, cancels: Iterable[Cancel]) -> None:
        """Take orders as sent, so many, that were worked elsewhere, and cancels, each after so many of them."""
        self.orders.extend_by(orders)
        before = self._sent
        self.cancels += [replace(one, orders_before=before + (one.orders_before or 0)) for one in cancels]
        self._sent += number

    def _own_orders(self, symbol: str) -> list[OrderRecord]:
        """Open orders of the strategy, without those of a margin call, which are not its to cancel."""
        return [record for record in self._account.open_orders(symbol) if MARGIN_CALL not in record.order.tags]

    def _working(self, record: OrderRecord) -> WorkingOrder:
        instrument, order = self._account.instrument(record.order.symbol), record.order
        left = order.side.sign * instrument.quantity_decimal(record.remaining)
        limit = None if record.limit is None else instrument.price_decimal(record.limit)
        return WorkingOrder(order.client_order_id, left, limit)

    def _expected(self, symbol: str) -> Decimal:
        """Held, and what orders of a margin call will take off it."""
        instrument, expected = self._account.instrument(symbol), self._account.position(symbol)
        for record in self._account.open_orders(symbol):
            if MARGIN_CALL in record.order.tags:
                expected += record.order.side.sign * instrument.quantity_decimal(record.remaining)
        return expected

    def _submit(self, order: MarketOrder | LimitOrder) -> OrderReply:
        self.orders.append(order)
        self._sent += 1
        side = Side.BUY if order.quantity > 0 else Side.SELL
        if isinstance(order, MarketOrder) and self._direct and self.weight == RATE_ONE and not order.reduce_only:
            name, quantity, target = order.client_order_id, abs(order.quantity), order.position_target
            if self._account.take_direct(Ticket(name, order.symbol, side, quantity, order.decided_ns, target)):
                return TAKEN
        wanted = replace(single_order(self._account.owner, order), decided_ns=None)
        return self._replied(self._account.submit(wanted, order.decided_ns, weight=self.weight))

    def _submit_list(self, list_id: str, orders: Sequence[ListedOrder]) -> OrderReply:
        wanted = [order_of(self._account.owner, list_id, order) for order in orders]
        return self._replied(self._account.submit_list(wanted, orders[0].decided_ns, weight=self.weight))

    def _replied(self, events: Sequence[OrderEvent]) -> OrderReply:
        self._on_events(events)
        for event in events:
            if event.kind is EventKind.DENIED and event.denial and event.denial is not Denial.LIST_DENIED:
                return OrderReply(event.denial.value, event.detail, event.denial in FINAL)
        return TAKEN


TAKEN = OrderReply()


def order_list(owner: Owner, sent: Iterable[SentOrder]) -> list[Order]:
    """What a run sent, as brokerage takes it: orders by themselves, and the orders of each list in a row."""
    found: list[Order] = []
    for one in sent:
        if isinstance(one, SubmitList):
            found += [order_of(owner, one.list_id, order) for order in one.orders]
        else:
            found.append(single_order(owner, one))
    return found


def single_order(owner: Owner, one: MarketOrder | LimitOrder) -> Order:
    """An order by itself as brokerage takes it."""
    side = Side.BUY if one.quantity > 0 else Side.SELL
    made = Order(owner, one.client_order_id, one.symbol, side, abs(one.quantity), decided_ns=one.decided_ns)
    made = replace(made, position_target=one.position_target, reduce_only=one.reduce_only)
    if isinstance(one, LimitOrder):
        return replace(made, type=OrderType.LIMIT, limit_price=one.limit_price, post_only=one.post_only)
    return made


def order_of(owner: Owner, list_id: str, order: ListedOrder) -> Order:
    """An order of a list as brokerage takes it."""
    side = Side.BUY if order.quantity > 0 else Side.SELL
    kind = OrderType.MARKET if order.limit_price is None else OrderType.LIMIT
    if order.stop_price is not None:
        kind = OrderType.STOP_MARKET if order.limit_price is None else OrderType.STOP_LIMIT
    if order.trailing is not None:
        kind = OrderType.TRAILING_STOP
    return Order(
        owner,
        order.client_order_id,
        order.symbol,
        side,
        abs(order.quantity),
        type=kind,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_offset=order.trailing,
        trail_offset_type=None if order.trailing is None else TrailOffsetType.FRACTION,
        reduce_only=order.reduce_only,
        position_target=order.position_target,
        decided_ns=order.decided_ns,
        list_id=list_id,
        parent=order.parent,
        contingency=order.contingency,
        linked=order.linked,
    )


def fill_of(account: SimulatedAccount, event: OrderEvent) -> FillEvent:
    """A FILLED event of a simulated account, with a signed quantity."""
    return fill_event(account.fill_view(event))


def fill_event(view: FillView) -> FillEvent:
    """A fill with a signed quantity."""
    signed = view.quantity if view.side is Side.BUY else -view.quantity
    paid = view.fee, view.fee_currency
    return FillEvent(view.symbol, signed, view.price, *paid, view.at_ns, view.trade_id, view.booked_ns)
