"""What the pre-trade check may look at before it decides on an order."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.position import Position
from brokerage.domain.market.mark import Mark
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.totals import OpenOrderTotals, reach
from brokerage.domain.risk.exposure import ALONE, AccountExposure
from qmtl.core.limits import UNLIMITED, RiskLimits


@dataclass(frozen=True, slots=True)
class RiskContext:
    """What the check may look at, before this order.

    `free` is quote currency that may still be committed; `buys` and `sells` are the strategy's open orders in the
    symbol; `equity` is the account's, `around` the rest of the account and its world, `limits` are the world's beside
    the profile's.
    """

    at_ns: int
    position: Position
    buys: OpenOrderTotals
    sells: OpenOrderTotals
    open_orders: int
    mark: Mark | None
    free: int
    trading: TradingState = TradingState.ACTIVE
    weight: int = RATE_ONE
    equity: int = 0
    around: AccountExposure = ALONE
    limits: RiskLimits = UNLIMITED


def increases(side: Side, quantity: int, held: int) -> bool:
    """Whether an order could leave a position larger than it is, or on the other side."""
    return held * side.sign >= 0 or quantity > abs(held)


def increase(side: Side, quantity: int, held: int) -> int:
    """The part of an order that opens or adds."""
    return quantity if held * side.sign >= 0 else max(quantity - abs(held), 0)


def held_in(now: RiskContext) -> int:
    return now.position.quantity


def totals_in(side: Side, now: RiskContext) -> OpenOrderTotals:
    return now.buys if side is Side.BUY else now.sells


def reach_in(order: Order, sized: SizedOrder, now: RiskContext) -> int:
    """How far this order and what its side already works in the symbol may move the position: they may all fill."""
    working = totals_in(order.side, now)
    reducing = working.reducing + (sized.quantity if order.reduce_only else 0)
    return reach(order.side, held_in(now), working.quantity + sized.quantity, reducing)


def reference_price(sized: SizedOrder, now: RiskContext) -> int:
    """The price an order is valued at before it trades."""
    return sized.worst or (now.mark.price if now.mark else 0)
