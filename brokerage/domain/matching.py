"""Simulated matching of one order against one bar: a pure function from (order, bar) to what it would do.

A bar counts only if it starts at or after the order's acceptance; never the bar in progress. Market orders fill at
the open, limits when the bar trades through them, stops when it touches them; zero-volume bars fill nothing.
Types whose rules are not here are denied before they rest, never approximated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import isfinite

import numpy as np
import numpy.typing as npt

from brokerage.domain.instrument import Instrument
from brokerage.domain.money import RATE_ONE, double_to_scaled, fit, floor_to
from brokerage.domain.orders import Liquidity, OrderRecord, Side
from brokerage.domain.profile import BrokerageProfile
from brokerage.domain.states import OrderType, TimeInForce
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest

MATCHED_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT})
MATCHED_TIFS = frozenset({TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY})


@dataclass(frozen=True, slots=True)
class Bar:
    """A completed bar at the instrument's scales, labelled by its start. Volume is in scaled base quantity."""

    start_ns: int
    end_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class NoFill(Enum):
    """Why a bar did nothing for an order."""

    NOT_YET = "the bar starts before the order was accepted"
    NO_VOLUME = "nothing traded in the bar"
    NOT_REACHED = "the price was not reached"
    FOK_SHORT = "the bar cannot fill the whole order"


@dataclass(frozen=True, slots=True)
class Match:
    """What a bar does to an order: a fill of `quantity` (0: none, `why` says why), perhaps after triggering it."""

    quantity: int
    price: int = 0
    liquidity: Liquidity = Liquidity.TAKER
    triggered: bool = False
    why: NoFill | None = None


_NOT_YET = Match(0, why=NoFill.NOT_YET)
_NO_VOLUME = Match(0, why=NoFill.NO_VOLUME)
_NOT_REACHED = Match(0, why=NoFill.NOT_REACHED)
_TRIGGERED_ONLY = Match(0, triggered=True, why=NoFill.NOT_REACHED)


def match(record: OrderRecord, bar: Bar, profile: BrokerageProfile, budget: int) -> Match:
    """What `bar` does to a working order. `budget` is the volume still to be had in it; negative: no cap."""
    if bar.start_ns < record.accepted_ns:
        return _NOT_YET
    if bar.volume <= 0:
        return _NO_VOLUME
    found = _price(record, bar, profile)
    if found.why is not None:
        return found
    quantity = record.remaining if budget < 0 else min(record.remaining, budget)
    if record.order.tif is TimeInForce.FOK and quantity < record.remaining:
        return Match(0, triggered=found.triggered, why=NoFill.FOK_SHORT)
    if quantity <= 0:
        return Match(0, triggered=found.triggered, why=NoFill.NO_VOLUME)
    return Match(quantity, found.price, found.liquidity, found.triggered)


def volume_budget(instrument: Instrument, bar: Bar, profile: BrokerageProfile) -> int:
    """The part of a bar's volume a strategy may take, down to the lot; -1 when fills are in full."""
    if not profile.participation:
        return -1
    return floor_to(bar.volume * profile.participation // RATE_ONE, instrument.lot)


def _price(record: OrderRecord, bar: Bar, profile: BrokerageProfile) -> Match:
    if record.instrument is None:
        raise InvalidRequest("INSTRUMENT_UNKNOWN", f"order {record.id} has no instrument to match")
    kind, side, instrument = record.order.type, record.order.side, record.instrument
    if kind is OrderType.MARKET or (kind is OrderType.STOP_MARKET and record.triggered):
        return Match(1, profile.slipped(instrument, side, bar.open))
    if kind is OrderType.LIMIT:
        return _limit(side, _set(record.limit), bar, _arrival(record, bar))
    if kind is OrderType.STOP_MARKET:
        stop = _set(record.stop)
        gapped = reached(side, stop, bar.open)
        if not touched(side, stop, bar):
            return _NOT_REACHED
        return Match(1, profile.slipped(instrument, side, bar.open if gapped else stop))
    if kind is OrderType.STOP_LIMIT:
        return _stop_limit(record, side, bar)
    raise InvalidRequest("ORDER_TYPE_UNSUPPORTED", f"no matching rule for {kind.value}")


def reached(side: Side, stop: int, price: int) -> bool:
    """Whether a price is at or beyond a stop."""
    return price >= stop if side is Side.BUY else price <= stop


def touched(side: Side, stop: int, bar: Bar) -> bool:
    """Whether a bar was at or beyond a stop at any moment."""
    return reached(side, stop, bar.high if side is Side.BUY else bar.low)


def _arrival(record: OrderRecord, bar: Bar) -> Liquidity:
    """What a limit that fills at the open was: taking if this is the first bar it could meet, else making."""
    first = bar.start_ns - record.accepted_ns < bar.end_ns - bar.start_ns
    return Liquidity.TAKER if first and not record.order.post_only else Liquidity.MAKER


def _limit(side: Side, limit: int, bar: Bar, at_open: Liquidity) -> Match:
    """Strictly through the limit: at the open when that is better, else at the limit, where it rested and made."""
    if side is Side.BUY:
        if bar.low >= limit:
            return _NOT_REACHED
        return Match(1, bar.open, at_open) if bar.open < limit else Match(1, limit, Liquidity.MAKER)
    if bar.high <= limit:
        return _NOT_REACHED
    return Match(1, bar.open, at_open) if bar.open > limit else Match(1, limit, Liquidity.MAKER)


def _stop_limit(record: OrderRecord, side: Side, bar: Bar) -> Match:
    """Strict, sticky trigger; then a close better than the limit fills at min(high, limit), sells mirrored."""
    stop, limit = _set(record.stop), _set(record.limit)
    fresh = not record.triggered
    if fresh and not (bar.high > stop if side is Side.BUY else bar.low < stop):
        return _NOT_REACHED
    if not (bar.close < limit if side is Side.BUY else bar.close > limit):
        return _TRIGGERED_ONLY if fresh else _NOT_REACHED
    price = min(bar.high, limit) if side is Side.BUY else max(bar.low, limit)
    return Match(1, price, triggered=fresh)


def _set(price: int | None) -> int:
    if price is None:
        raise InvalidRequest("PRICE_REQUIRED", "the order's type needs a price it does not have")
    return price


Doubles = npt.NDArray[np.float64]


def bars_from_doubles(
    instrument: Instrument,
    start_ns: npt.NDArray[np.int64],
    interval_ns: int,
    ohlcv: tuple[Doubles, Doubles, Doubles, Doubles, Doubles],
) -> Iterator[Bar]:
    """Bars from columns of doubles: prices snapped to the price scale, volume to the quantity scale, ties to even."""
    *prices, volume = ohlcv
    columns = [snap(column, instrument.price_scale, "price") for column in prices]
    sizes = snap(volume, instrument.quantity_scale, "volume", saturate=True)
    for start, opened, high, low, close, size in zip(start_ns.tolist(), *columns, sizes, strict=True):
        yield Bar(start, start + interval_ns, opened, high, low, close, size)


def snap(column: Doubles, scale: int, what: str, *, saturate: bool = False) -> Sequence[int]:
    """A column of doubles as scaled integers. A volume beyond int64 saturates: it is only ever an upper bound."""
    scaled = np.rint(column * 10.0**scale)
    if not np.isfinite(scaled).all():
        raise InvalidRequest("AMOUNT_NOT_FINITE", f"{what} holds a value that is not finite")
    if saturate:
        return [min(int(value), INT64_MAX) for value in scaled.tolist()]
    return [fit(int(value), what) for value in scaled.tolist()]


def bar_from_doubles(
    instrument: Instrument, start_ns: int, interval_ns: int, ohlcv: tuple[float, float, float, float, float]
) -> Bar:
    """One bar from doubles: the same snapping as the columns, so batch and live see the same numbers."""
    opened, high, low, close = (double_to_scaled(price, instrument.price_scale, "price") for price in ohlcv[:4])
    if not isfinite(ohlcv[4]):
        raise InvalidRequest("AMOUNT_NOT_FINITE", f"volume is {ohlcv[4]!r}, want a finite number")
    volume = min(round(ohlcv[4] * 10.0**instrument.quantity_scale), INT64_MAX)
    return Bar(start_ns, start_ns + interval_ns, opened, high, low, close, volume)
