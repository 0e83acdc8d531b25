"""The exits of a bracket: orders that close what a leg holds, tied so that one takes off the other."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.order import Contingency
from qmtl.sdk.execution.planner import Leg, cut
from qmtl.sdk.execution.port import ListedOrder, MarketOrder, SubmitList

STOP, TARGET = "-stop", "-target"


def is_exit(client_order_id: str) -> bool:
    """Whether an order is a stop or a target of a bracket."""
    return client_order_id.endswith((STOP, TARGET))


def with_exits(leg: Leg, order: MarketOrder) -> SubmitList | None:
    """A leg's order with the exits of what is held after it; None where it leaves nothing to close."""
    name = order.client_order_id
    exits = _exits(leg, leg.held.expected + order.quantity, name, parent=name)
    if not exits:
        return None
    entry = ListedOrder(
        name,
        order.symbol,
        order.quantity,
        order.decided_ns,
        reduce_only=order.reduce_only,
        position_target=order.position_target,
        contingency=Contingency.OTO,
        linked=tuple(one.client_order_id for one in exits),
    )
    return SubmitList(name, (entry, *exits))


def _exits(leg: Leg, position: Decimal, name: str, parent: str) -> tuple[ListedOrder, ...]:
    bracket, size = leg.planner.rule.bracket, cut(abs(position), leg.held.lot)
    if bracket is None or not size:
        return ()
    long = position > 0
    stop, target = bracket.prices(leg.exact_price, long=long, tick=leg.held.tick)
    base = ListedOrder(name, leg.symbol, -size if long else size, leg.time_ns, reduce_only=True, parent=parent)
    found = [
        replace(base, client_order_id=name + suffix, stop_price=at_stop, limit_price=at_limit)
        for suffix, at_stop, at_limit in ((STOP, stop, None), (TARGET, None, target))
        if at_stop is not None or at_limit is not None
    ]
    if len(found) < 2:
        return tuple(found)
    names = [one.client_order_id for one in found]
    return tuple(
        replace(one, contingency=Contingency.OUO, linked=(other,))
        for one, other in zip(found, reversed(names), strict=True)
    )
