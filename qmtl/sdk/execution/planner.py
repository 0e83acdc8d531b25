"""From targets to orders: a pure planner that says what to buy or sell when a target changes.

It acts on the change of a target, not on every bar, so that a fraction of equity does not churn with the
price. Quantities are exact decimals, cut toward zero to the lot. Client order ids are made of the symbol and
the bar's time alone, so asking twice about one bar is one order.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.execution.port import HeldPosition, MarketOrder
from qmtl.sdk.graph.names import tag_of
from qmtl.sdk.strategy.rules import Sizing, TradeRule


class Planner:
    """Follows one command node. `last` is the target last acted on; a restart finds it in the node's history."""

    __slots__ = ("last", "rule")

    def __init__(self, rule: TradeRule, last: float = 0.0) -> None:
        self.rule = rule
        self.last = last

    def plan(self, time_ns: int, target: float, price: float, held: HeldPosition) -> MarketOrder | None:
        """The order a target calls for, if it changed. Raises InvalidRequest (E_TARGET) for one that is not finite."""
        if not math.isfinite(target):
            raise refused("E_TARGET", "target", target, "a finite number")
        if target == self.last:
            return None
        self.last = target
        return order_for(self.rule, time_ns, target, price, held)


def order_for(rule: TradeRule, time_ns: int, target: float, price: float, held: HeldPosition) -> MarketOrder | None:
    """The order that brings a held to a target; None when that is less than one lot away."""
    wanted = to_decimal(target)
    if rule.sizing is Sizing.EQUITY_FRACTION:
        wanted = wanted * held.equity / to_decimal(price) if price > 0.0 else Decimal(0)
    quantity = cut(wanted, rule.lot) - cut(held.expected, rule.lot)
    if wanted == 0:
        quantity = -held.expected
    return MarketOrder(order_name(rule.symbol, time_ns), rule.symbol, quantity, time_ns) if quantity else None


def cut(quantity: Decimal, lot: Decimal) -> Decimal:
    """Toward zero to a multiple of the lot."""
    return (quantity / lot).to_integral_value(rounding=ROUND_DOWN) * lot


def order_name(symbol: str, time_ns: int) -> str:
    """The client order id of the one order a symbol may get for one bar."""
    return f"{tag_of(symbol)}-{time_ns // NS_PER_S}"
