"""Orders and fills of a strategy to messages and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from brokerage.domain.orders.order import Contingency, Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.order_updates import role_of, symbol_of
from qmtl.sdk.execution.port import LimitOrder, ListedOrder, MarketOrder
from qmtl.sdk.strategy.events import OrderState, OrderUpdate
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.wire.instants import ns_from_proto, ns_to_proto

TYPES: Mapping[tuple[bool, bool], orderpb.OrderType] = {
    (False, False): orderpb.ORDER_TYPE_MARKET,
    (False, True): orderpb.ORDER_TYPE_LIMIT,
    (True, False): orderpb.ORDER_TYPE_STOP_MARKET,
    (True, True): orderpb.ORDER_TYPE_STOP_LIMIT,
}
"""Types by whether there is a stop, and a limit."""
CONTINGENCIES: Mapping[Contingency, orderpb.Contingency] = {
    Contingency.OTO: orderpb.CONTINGENCY_OTO,
    Contingency.OCO: orderpb.CONTINGENCY_OCO,
    Contingency.OUO: orderpb.CONTINGENCY_OUO,
}


def order_to_proto(owner: Owner, order: MarketOrder | LimitOrder | ListedOrder, version: int = 0) -> orderpb.Order:
    """An order by itself. The same order makes the same message, so sending it again is no second order."""
    if isinstance(order, ListedOrder):
        return _listed(owner, "", order, version)
    message = orderpb.Order(
        account=owner.account,
        world_id=owner.world_id,
        strategy_id=owner.strategy_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=orderpb.ORDER_SIDE_BUY if order.quantity > 0 else orderpb.ORDER_SIDE_SELL,
        type=orderpb.ORDER_TYPE_MARKET,
        quantity=format_decimal(abs(order.quantity)),
        time_in_force=orderpb.TIME_IN_FORCE_GTC,
        position_side=orderpb.POSITION_SIDE_BOTH,
        decided_at=ns_to_proto(order.decided_ns),
        reduce_only=order.reduce_only,
        strategy_version=version,
        position_target="" if order.position_target is None else format_decimal(order.position_target),
    )
    if isinstance(order, LimitOrder):
        message.type, message.limit_price = orderpb.ORDER_TYPE_LIMIT, format_decimal(order.limit_price)
        message.post_only = order.post_only
    return message


def list_to_proto(owner: Owner, list_id: str, orders: Iterable[ListedOrder], version: int = 0) -> list[orderpb.Order]:
    """Orders that belong together; the same orders make the same messages."""
    return [_listed(owner, list_id, order, version) for order in orders]


def _listed(owner: Owner, list_id: str, order: ListedOrder, version: int) -> orderpb.Order:
    first = MarketOrder(order.client_order_id, order.symbol, order.quantity, order.decided_ns, order.position_target)
    message = order_to_proto(owner, first, version)
    message.type = TYPES[order.stop_price is not None, order.limit_price is not None]
    message.limit_price = "" if order.limit_price is None else format_decimal(order.limit_price)
    message.stop_price = "" if order.stop_price is None else format_decimal(order.stop_price)
    if order.trailing is not None:
        message.type, message.trail_offset = orderpb.ORDER_TYPE_TRAILING_STOP, format_decimal(order.trailing)
        message.trail_offset_type = orderpb.TRAIL_OFFSET_TYPE_FRACTION
    message.reduce_only = order.reduce_only
    message.list_id, message.parent_client_order_id = list_id, order.parent
    if order.contingency is not None:
        message.contingency = CONTINGENCIES[order.contingency]
    message.linked_client_order_ids.extend(order.linked)
    return message


def order_key(owner: Owner, client_order_id: str) -> orderpb.OrderKey:
    """The key of one order of an owner."""
    return orderpb.OrderKey(
        account=owner.account,
        world_id=owner.world_id,
        strategy_id=owner.strategy_id,
        client_order_id=client_order_id,
    )


def is_open(status: orderpb.OrderStatus) -> bool:
    """Whether an order may still be filled."""
    return status.view in (orderpb.ORDER_VIEW_NEW, orderpb.ORDER_VIEW_PARTIALLY_FILLED)


def open_quantity(status: orderpb.OrderStatus) -> Decimal:
    """What an open order may still fill; signed."""
    working = parse_decimal(status.working_quantity or "0", "status.working_quantity")
    filled = parse_decimal(status.cumulative_quantity or "0", "status.cumulative_quantity")
    return (working - filled) * (1 if status.order.side == orderpb.ORDER_SIDE_BUY else -1)


def fill_from_proto(fill: orderpb.Fill) -> FillEvent:
    """A booked execution, signed; its time is the venue's."""
    sign = 1 if fill.side == orderpb.ORDER_SIDE_BUY else -1
    return FillEvent(
        symbol=fill.symbol,
        quantity=sign * parse_decimal(fill.quantity, "fill.quantity"),
        price=parse_decimal(fill.price, "fill.price"),
        fee=parse_decimal(fill.fee or "0", "fill.fee"),
        fee_currency=fill.fee_currency,
        time_ns=ns_from_proto(fill.venue_time, "fill.venue_time"),
        trade_id=fill.trade_id,
        booked_ns=ns_from_proto(fill.account_time, "fill.account_time"),
        account=fill.account,
    )


STATES: Mapping[orderpb.OrderEventKind, OrderState] = {
    orderpb.ORDER_EVENT_KIND_ACCEPTED: OrderState.ACCEPTED,
    orderpb.ORDER_EVENT_KIND_CANCELED: OrderState.CANCELED,
    orderpb.ORDER_EVENT_KIND_EXPIRED: OrderState.EXPIRED,
    orderpb.ORDER_EVENT_KIND_REJECTED: OrderState.REJECTED,
    orderpb.ORDER_EVENT_KIND_DENIED: OrderState.DENIED,
}
"""Kinds of events that a strategy hears of; FILLED is told apart by the order's state."""


def update_from_proto(event: orderpb.OrderEvent, rules: Iterable[TradeRule | QuoteRule]) -> OrderUpdate | None:
    """What a strategy hears of an event of one of its orders; None: nothing."""
    state = STATES.get(event.kind)
    if event.kind == orderpb.ORDER_EVENT_KIND_FILLED:
        whole = event.state == orderpb.ORDER_STATE_FILLED
        state = OrderState.FILLED if whole else OrderState.PARTIALLY_FILLED
    if state is None:
        return None
    return OrderUpdate(
        client_order_id=event.client_order_id,
        symbol=symbol_of(event.client_order_id, rules),
        role=role_of(event.client_order_id),
        state=state,
        filled=parse_decimal(event.cumulative_quantity or "0", "event.cumulative_quantity"),
        time_ns=ns_from_proto(event.receive_time, "event.receive_time"),
        rule=orderpb.Denial.Name(event.denial).removeprefix("DENIAL_") if event.denial else "",
        message=event.message,
    )


def state_of(state: orderpb.OrderState) -> OrderState | None:
    """A state as a strategy hears of it; None: of that it does not."""
    return ORDER_STATES.get(state)


ORDER_STATES: Mapping[orderpb.OrderState, OrderState] = {
    orderpb.ORDER_STATE_ACCEPTED: OrderState.ACCEPTED,
    orderpb.ORDER_STATE_PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
    orderpb.ORDER_STATE_FILLED: OrderState.FILLED,
    orderpb.ORDER_STATE_CANCELED: OrderState.CANCELED,
    orderpb.ORDER_STATE_EXPIRED: OrderState.EXPIRED,
    orderpb.ORDER_STATE_REJECTED: OrderState.REJECTED,
    orderpb.ORDER_STATE_DENIED: OrderState.DENIED,
}


def update_of(status: orderpb.OrderStatus, state: OrderState, rules: Iterable[TradeRule | QuoteRule]) -> OrderUpdate:
    """Where an order stands, as an update."""
    name = status.order.client_order_id
    return OrderUpdate(
        client_order_id=name,
        symbol=status.order.symbol or symbol_of(name, rules),
        role=role_of(name),
        state=state,
        filled=parse_decimal(status.cumulative_quantity or "0", "status.cumulative_quantity"),
        time_ns=ns_from_proto(status.updated_at, "status.updated_at"),
        rule=orderpb.Denial.Name(status.denial).removeprefix("DENIAL_") if status.denial else "",
        message=status.message,
    )
