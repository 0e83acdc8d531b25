"""Trailing stops on bars: the old stop is tested first, and only if it was not reached does the stop follow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match
from brokerage.domain.models.fills.stops import reached, touched
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.order import Side, TrailOffsetType


@dataclass(frozen=True, slots=True)
class Trail:
    """How far a stop stays behind: a price, a fraction of the reference price (0.02), or ticks."""

    offset: Decimal
    kind: TrailOffsetType


@dataclass(frozen=True, slots=True)
class TrailStep:
    """What a bar does to a trailing stop: a fill or none, and where the stop stands after it."""

    match: Match
    stop: int


def stop_behind(side: Side, reference: int, trail: Trail, instrument: Instrument) -> int:
    """The stop a trail sets behind a reference price: above it for a buy, below for a sale, outward to a tick.

    Outward is the less aggressive side: the stop is never nearer than the trail says. At least one tick.
    """
    units = {
        TrailOffsetType.FRACTION: reference,
        TrailOffsetType.TICKS: instrument.tick,
        TrailOffsetType.PRICE: 10**instrument.price_scale,
    }
    ticks: Fraction = (reference + side.sign * Fraction(trail.offset) * units[trail.kind]) / instrument.tick
    return max(ceil(ticks) if side is Side.BUY else floor(ticks), 1) * instrument.tick


def step_trailing_stop(stop: int, trail: Trail, bar: Bar, slip: Slip, *, lean_parity: bool = False) -> TrailStep:
    """Test the old stop: buy high >= stop, sell low <= stop; it fills at the stop, at the open where the bar opens
    beyond it, moved by slippage. `lean_parity`: buy at max(stop, close + slip), sell at min(stop, close - slip).

    Else move it behind the bar's low (buy) or high (sell), never away from the price. Source: Lean, fill model.
    """
    side = slip.side
    if touched(side, stop, bar):
        if lean_parity:
            moved = slip.moved(bar.close)
            return TrailStep(Match(1, max(stop, moved) if side is Side.BUY else min(stop, moved)), stop)
        gap = reached(side, stop, bar.open)
        return TrailStep(Match(1, slip.moved(bar.open if gap else stop), at_open=gap), stop)
    behind = stop_behind(side, bar.low if side is Side.BUY else bar.high, trail, slip.instrument)
    return TrailStep(NOT_REACHED, min(stop, behind) if side is Side.BUY else max(stop, behind))


def limit_after_trigger(side: Side, stop: int, offset: Decimal, instrument: Instrument) -> int:
    """The limit of a trailing stop-limit once its stop is reached: `offset` beyond the stop, inward to a tick."""
    ticks: Fraction = (stop + side.sign * Fraction(offset) * 10**instrument.price_scale) / instrument.tick
    return max(floor(ticks) if side is Side.BUY else ceil(ticks), 1) * instrument.tick
