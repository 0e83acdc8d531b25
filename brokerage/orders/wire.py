"""Messages to values and back: the only place that reads a broker message and decides with it.

Refuses what is malformed here, once, by field. Numbers are decimal text at this door and exact inside; a quantity
that is well-formed but breaks a rule of the instrument is a denial and is left to the domain.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from brokerage.accounts.wire import VENUE
from brokerage.domain.money import RATE_ONE, RATE_SCALE
from brokerage.domain.orders.order import Order, OrderName, Owner, PositionSide, Side, require_well_formed
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.risk.fence import GateStamp
from brokerage.fields import text
from brokerage.instants import ns_of, timestamp
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.core.decimals import format_decimal, parse_decimal, to_scaled
from qmtl.core.errors import refused
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum

TAGS_MAX = 16

SIDES = {brokerpb.ORDER_SIDE_BUY: Side.BUY, brokerpb.ORDER_SIDE_SELL: Side.SELL}
TYPES = {brokerpb.OrderType.Value(f"ORDER_TYPE_{kind.name}"): kind for kind in OrderType}
TIFS = {brokerpb.TimeInForce.Value(f"TIME_IN_FORCE_{tif.name}"): tif for tif in TimeInForce}
POSITION_SIDES = {
    brokerpb.POSITION_SIDE_UNSPECIFIED: PositionSide.BOTH,
    brokerpb.POSITION_SIDE_BOTH: PositionSide.BOTH,
}
"""How a fence with limits is asked for: a peer that does not know limits does not know these, and opens nothing."""


def order_from_proto(message: brokerpb.Order) -> Order:
    """The client's order as a value. Raises InvalidRequest naming the field."""
    order = Order(
        owner=_owner(message, "order"),
        client_order_id=text(message.client_order_id, "order.client_order_id"),
        symbol=text(message.symbol, "order.symbol"),
        side=known_enum(SIDES, message.side, "order.side"),
        quantity=parse_decimal(message.quantity, "order.quantity"),
        type=known_enum(TYPES, message.type, "order.type"),
        tif=known_enum(TIFS, message.time_in_force, "order.time_in_force"),
        limit_price=_optional(message.limit_price, "order.limit_price"),
        stop_price=_optional(message.stop_price, "order.stop_price"),
        trail_amount=_optional(message.trail_amount, "order.trail_amount"),
        trail_fraction=_optional(message.trail_fraction, "order.trail_fraction"),
        expire_at_ns=ns_of(message.expire_at) if message.HasField("expire_at") else None,
        decided_ns=ns_of(message.decided_at) if message.HasField("decided_at") else None,
        reduce_only=message.reduce_only,
        post_only=message.post_only,
        position_side=known_enum(POSITION_SIDES, message.position_side, "order.position_side"),
        venue=_venue(message.venue),
        tags=_tags(message.tags),
    )
    require_well_formed(order)
    return order


def order_to_proto(order: Order) -> brokerpb.Order:
    """The inverse of order_from_proto."""
    return brokerpb.Order(
        account=order.owner.account,
        world_id=order.owner.world_id,
        strategy_id=order.owner.strategy_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        venue=order.venue,
        side=f"ORDER_SIDE_{order.side.name}",
        type=f"ORDER_TYPE_{order.type.name}",
        quantity=format_decimal(order.quantity),
        limit_price=_written(order.limit_price),
        stop_price=_written(order.stop_price),
        trail_amount=_written(order.trail_amount),
        trail_fraction=_written(order.trail_fraction),
        time_in_force=f"TIME_IN_FORCE_{order.tif.name}",
        expire_at=None if order.expire_at_ns is None else timestamp(order.expire_at_ns),
        decided_at=None if order.decided_ns is None else timestamp(order.decided_ns),
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        position_side=brokerpb.POSITION_SIDE_BOTH,
        tags=order.tags,
    )


def gate_from_proto(message: servicepb.GateStamp) -> GateStamp:
    """The gate's stamp. Nothing in it has a default: an order without a whole stamp was not gated."""
    weight = to_scaled(parse_decimal(message.weight, "gate.weight"), RATE_SCALE)
    if not 0 <= weight <= RATE_ONE:
        raise refused("E_GATE_STAMP", "gate.weight", message.weight, "0 to 1")
    domain = known_enum(DOMAINS, message.execution_domain, "gate.execution_domain")
    return GateStamp(message.epoch, weight, domain, message.reduce_only)


def name_from_proto(message: servicepb.OrderKey) -> OrderName:
    return OrderName(_owner(message, "key"), text(message.client_order_id, "key.client_order_id"))


def _owner(message: brokerpb.Order | servicepb.OrderKey, where: str) -> Owner:
    return Owner(
        text(message.account, f"{where}.account"),
        text(message.world_id, f"{where}.world_id"),
        text(message.strategy_id, f"{where}.strategy_id"),
    )


def _venue(name: str) -> str:
    if name not in ("", VENUE):
        raise refused("E_VENUE_UNKNOWN", "order.venue", name, VENUE)
    return VENUE


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    found = tuple(text(tag, "order.tags") for tag in tags)
    if len(found) > TAGS_MAX:
        raise refused("E_NAME", "order.tags", f"{len(found)} tags", f"at most {TAGS_MAX}")
    return found


def _optional(value: str, field: str) -> Decimal | None:
    return parse_decimal(value, field) if value else None


def _written(value: Decimal | None) -> str:
    return "" if value is None else format_decimal(value)
