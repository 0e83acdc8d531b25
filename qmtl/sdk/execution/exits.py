"""The exits of a bracket: orders that close what a leg holds, tied so that one takes off the other."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.order import Contingency
from qmtl.sdk.execution.legs import shown_exit
from qmtl.sdk.execution.planner import Leg, Planner, cut
from qmtl.sdk.execution.port import (
    AskHeldPosition,
    AskOpenOrders,
    Decision,
    DeniedOrder,
    LimitOrder,
    ListedOrder,
    MarketOrder,
    SubmitExit,
    SubmitList,
    ask,
    order_name,
)

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


def protect(planner: Planner, time_ns: int, version: int) -> Decision[list[DeniedOrder]]:
    """Send each exit that a venue has rejected again, by itself and at the price that it had, for all that is held.

    What was denied of them; it is tried again unless that is final. What is not held any more needs none.
    """
    symbol, denied = planner.rule.symbol, list[DeniedOrder]()
    working = yield from ask(AskOpenOrders(symbol, time_ns))
    held = yield from ask(AskHeldPosition(symbol, time_ns))
    size = cut(abs(held.expected), held.lot)
    for kind, lost in list(planner.protection.lost.items()):
        if not size or (lost.quantity > 0) is (held.expected > 0) or any(name.endswith(kind) for name in working):
            planner.protection.sent(lost)
            continue
        name = order_name(symbol, time_ns, version) + kind
        again = ListedOrder(
            name,
            symbol,
            size.copy_sign(lost.quantity),
            time_ns,
            limit_price=lost.limit_price,
            stop_price=lost.stop_price,
            trailing=lost.trailing,
            reduce_only=True,
        )
        reply = yield from ask(SubmitExit(again))
        if not reply.denied_by:
            planner.protection.sent(again)
            continue
        message = f"{reply.message} ({size} {symbol} are held without their {shown_exit(again)})"
        denied.append(DeniedOrder(name, symbol, reply.denied_by, message, time_ns))
        if reply.final:
            planner.protection.sent(again)
    return denied


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
