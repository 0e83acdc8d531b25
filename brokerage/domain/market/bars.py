"""Completed bars at an instrument's scales, made from doubles one by one or by columns alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import double_to_scaled, fit
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest


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
        raise InvalidRequest("E_AMOUNT_NOT_FINITE", f"{what} holds a value that is not finite")
    if saturate:
        return [min(int(value), INT64_MAX) for value in scaled.tolist()]
    return [fit(int(value), what) for value in scaled.tolist()]


def bar_from_doubles(
    instrument: Instrument, start_ns: int, interval_ns: int, ohlcv: tuple[float, float, float, float, float]
) -> Bar:
    """One bar from doubles: the same snapping as the columns, so batch and live see the same numbers."""
    opened, high, low, close = (double_to_scaled(price, instrument.price_scale, "price") for price in ohlcv[:4])
    if not isfinite(ohlcv[4]):
        raise InvalidRequest("E_AMOUNT_NOT_FINITE", f"volume is {ohlcv[4]!r}, want a finite number")
    volume = min(round(ohlcv[4] * 10.0**instrument.quantity_scale), INT64_MAX)
    return Bar(start_ns, start_ns + interval_ns, opened, high, low, close, volume)
