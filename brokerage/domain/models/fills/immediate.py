"""Lean's generic (immediate) fill model, for parity runs of classes other than shares. Source: Lean, FillModel."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side


def fill_stop(stop: int, bar: Bar, slip: Slip) -> Match:
    """Strictly beyond: buy high > stop at max(stop, close + slip), sell low < stop at min(stop, close - slip)."""
    buys = slip.side is Side.BUY
    if not (bar.high > stop if buys else bar.low < stop):
        return NOT_REACHED
    moved = slip.moved(bar.close)
    return Match(1, max(stop, moved) if buys else min(stop, moved))


def fill_limit_at_worst(side: Side, limit: int, bar: Bar) -> Match:
    """Strictly through the limit: buy low < limit at min(high, limit), sell high > limit at max(low, limit)."""
    if side is Side.BUY:
        return Match(1, min(bar.high, limit), Liquidity.MAKER) if bar.low < limit else NOT_REACHED
    return Match(1, max(bar.low, limit), Liquidity.MAKER) if bar.high > limit else NOT_REACHED


def fill_resting_market(bar: Bar, accepted_ns: int, slip: Slip) -> Match:
    """A market order on a coarse bar: at its open if the order rested before the bar opened, else at its close."""
    rested = accepted_ns <= bar.start_ns
    return Match(1, slip.moved(bar.open if rested else bar.close), at_open=rested)
