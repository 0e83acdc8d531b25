"""Trailing stops on bars: the old stop is tested first, and only if it was not reached does the stop follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match, require_price
from brokerage.domain.models.fills.stops import fill_triggered_limit, reached, touched
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord
from qmtl.core.errors import InvalidRequest


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
    distance = _units(trail.kind, reference, instrument) * Fraction(trail.offset)
    ticks: Fraction = (reference + side.sign * distance) / instrument.tick
    return max(ceil(ticks) if side is Side.BUY else floor(ticks), 1) * instrument.tick


def followed_from(order: Order, stop: int, instrument: Instrument) -> int | None:
    """The highest low below which, or the lowest high above which, a stop may follow a bar; None: it may follow any.

    The answer may be too near by what rounding to a tick takes, never too far.
    """
    trail, sale = trail_of(order), order.side is Side.SELL
    if trail.kind is TrailOffsetType.FRACTION:
        share = 1 - Fraction(trail.offset) if sale else 1 + Fraction(trail.offset)
        if share <= 0:
            return None
        reference = stop / share
    else:
        distance = _units(trail.kind, 0, instrument) * Fraction(trail.offset)
        reference = stop + distance if sale else stop - distance
    return floor(reference) + 1 if sale else ceil(reference) - 1


def _units(kind: TrailOffsetType, reference: int, instrument: Instrument) -> int:
    """What one of an offset is, in units of the price scale."""
    units: dict[TrailOffsetType, int] = {
        TrailOffsetType.FRACTION: reference,
        TrailOffsetType.TICKS: instrument.tick,
        TrailOffsetType.PRICE: 10**instrument.price_scale,
    }
    return units[kind]


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


def limit_after_trigger(side: Side, stop: int, offset: Trail, instrument: Instrument) -> int:
    """The limit of a trailing stop-limit once its stop is reached: an offset beyond the stop, inward to a tick."""
    distance = _units(offset.kind, stop, instrument) * Fraction(offset.offset)
    ticks: Fraction = (stop + side.sign * distance) / instrument.tick
    return max(floor(ticks) if side is Side.BUY else ceil(ticks), 1) * instrument.tick


def trail_of(order: Order) -> Trail:
    """How far the stop of a trailing order stays behind. Raises InvalidRequest (E_PRICE_REQUIRED) for any other."""
    if order.trail_offset is None or order.trail_offset_type is None:
        raise InvalidRequest("E_PRICE_REQUIRED", "the order's type needs an offset it does not have")
    return Trail(order.trail_offset, order.trail_offset_type)


def limit_offset_of(order: Order) -> Trail:
    """How far the limit of a trailing stop-limit is beyond its stop. Raises as `trail_of`."""
    if order.limit_offset is None or order.trail_offset_type is None:
        raise InvalidRequest("E_PRICE_REQUIRED", "the order's type needs an offset it does not have")
    return Trail(order.limit_offset, order.trail_offset_type)


def fill_trailing_stop(record: OrderRecord, bar: Bar, slip: Slip) -> Match:
    """A trailing stop that was not reached before: it fills, or its stop follows."""
    stop = require_price(record.stop)
    step = step_trailing_stop(stop, trail_of(record.order), bar, slip)
    return step.match if step.stop == stop else replace(step.match, stop=step.stop)


def fill_trailing_stop_limit(record: OrderRecord, bar: Bar, slip: Slip) -> Match:
    """The stop is reached as a trailing stop's is; from then on it stays, and the limit works as a stop-limit's."""
    side = record.order.side
    if record.triggered:
        return fill_triggered_limit(side, require_price(record.limit), bar, fresh=False)
    stop = require_price(record.stop)
    if not touched(side, stop, bar):
        return fill_trailing_stop(record, bar, slip)
    limit = limit_after_trigger(side, stop, limit_offset_of(record.order), slip.instrument)
    return replace(fill_triggered_limit(side, limit, bar, fresh=True), limit=limit)
