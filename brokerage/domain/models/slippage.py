"""Slippage: how far a fill is moved against the trader."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Side


def slipped(price: int, rate: int, instrument: Instrument, side: Side) -> int:
    """`price` moved against the trader by a rate, outward to a tick."""
    if not rate:
        return price
    tick = instrument.tick
    slip: int = -(-price * rate // (RATE_ONE * tick)) * tick
    moved: int = price + side.sign * slip
    return max(moved, tick)
