"""Orders and fills of a strategy to messages and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import Intent
from qmtl.sdk.mesh.wire.instants import nanoseconds, stamp


@dataclass(frozen=True, slots=True)
class OrderOwner:
    """Whose orders these are."""

    account: str
    world_id: str
    strategy_id: str


def order_to_proto(desk: OrderOwner, intent: Intent) -> brokerpb.Order:
    """A market order. The same intent makes the same message, so sending it again is no second order."""
    return brokerpb.Order(
        account=desk.account,
        world_id=desk.world_id,
        strategy_id=desk.strategy_id,
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        side=brokerpb.ORDER_SIDE_BUY if intent.quantity > 0 else brokerpb.ORDER_SIDE_SELL,
        type=brokerpb.ORDER_TYPE_MARKET,
        quantity=format_decimal(abs(intent.quantity)),
        time_in_force=brokerpb.TIME_IN_FORCE_GTC,
        position_side=brokerpb.POSITION_SIDE_BOTH,
        decided_at=stamp(intent.decided_ns),
    )


def order_key(order: brokerpb.Order) -> brokerservicepb.OrderKey:
    """The name of an order."""
    return brokerservicepb.OrderKey(
        account=order.account,
        world_id=order.world_id,
        strategy_id=order.strategy_id,
        client_order_id=order.client_order_id,
    )


def is_open(status: brokerpb.OrderStatus) -> bool:
    """Whether an order may still be filled."""
    return status.view in (brokerpb.ORDER_VIEW_NEW, brokerpb.ORDER_VIEW_PARTIALLY_FILLED)


def expected_quantity(statuses: Iterable[brokerpb.OrderStatus], symbol: str) -> Decimal:
    """What all orders of a symbol come to once the open ones are filled; signed."""
    total = Decimal(0)
    for status in statuses:
        if status.order.symbol == symbol:
            text = (status.working_quantity if is_open(status) else status.cumulative_quantity) or "0"
            sign = 1 if status.order.side == brokerpb.ORDER_SIDE_BUY else -1
            total += sign * parse_decimal(text, "order status quantity")
    return total


def fill_from_proto(fill: brokerpb.Fill) -> FillEvent:
    """A booked execution, signed; its time is the venue's."""
    sign = 1 if fill.side == brokerpb.ORDER_SIDE_BUY else -1
    return FillEvent(
        symbol=fill.symbol,
        quantity=sign * parse_decimal(fill.quantity, "fill.quantity"),
        price=parse_decimal(fill.price, "fill.price"),
        fee=parse_decimal(fill.fee or "0", "fill.fee"),
        fee_currency=fill.fee_currency,
        time_ns=nanoseconds(fill.venue_time),
        trade_id=fill.trade_id,
    )
