"""The exits of a bracket: orders that close what a leg holds, tied so that one takes off the other."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.order import Contingency
from qmtl.sdk.execution.planner import Leg, cut
from qmtl.sdk.execution.port import LimitOrder, ListedOrder, MarketOrder, SubmitList

STOP, TRAIL, TARGET = "-stop", "-trail", "-target"


def is_exit(client_order_id: str) -> bool:
    """Whether an order is an exit of a bracket."""
    return client_order_id.endswith((STOP, TRAIL, TARGET))


def with_exits(leg: Leg, order: MarketOrder | LimitOrder) -> SubmitList | None:
    """A leg's order with the exits of what is held after it; None where it leaves nothing to close."""
    name = order.client_order_id
    limit = order.limit_price if isinstance(order, LimitOrder) else None
    exits = _exits(leg, leg.held.expected + order.quantity, name, limit or leg.exact_price)
    if not exits:
        return None
    entry = ListedOrder(
        name,
        order.symbol,
        order.quantity,
        order.decided_ns,
        limit_price=limit,
        reduce_only=order.reduce_only,
        position_target=order.position_target,
        contingency=Contingency.OTO,
        linked=tuple(one.client_order_id for one in exits),
    )
    return SubmitList(name, (entry, *exits))


def _exits(leg: Leg, position: Decimal, name: str, price: Decimal) -> tuple[ListedOrder, ...]:
    bracket, size = leg.planner.rule.bracket, cut(abs(position), leg.held.lot)
    if bracket is None or not size:
        return ()
    long = position > 0
    stop, target = bracket.prices(price, long=long, tick=leg.held.tick)
    base = ListedOrder(name, leg.symbol, -size if long else size, leg.time_ns, reduce_only=True, parent=name)
    exits = (
        replace(base, client_order_id=name + STOP, stop_price=stop),
        replace(base, client_order_id=name + TRAIL, trailing=bracket.trailing),
        replace(base, client_order_id=name + TARGET, limit_price=target),
    )
    found = [one for one in exits if (one.stop_price, one.trailing, one.limit_price) != (None, None, None)]
    if len(found) < 2:
        return tuple(found)
    names = [one.client_order_id for one in found]
    return tuple(
        replace(one, contingency=Contingency.OUO, linked=tuple(name for name in names if name != one.client_order_id))
        for one in found
    )
