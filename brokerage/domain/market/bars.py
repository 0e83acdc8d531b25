"""Completed bars at an instrument's scales, made from doubles one by one or by columns alike, and never rounded.

A double stands for the shortest decimal that reads back as it. Prices keep every digit of that; of a volume, which is
only ever an upper bound, the part below the quantity scale is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from brokerage.domain.market.instrument import PRICE_PLACES, Instrument
from qmtl.core.decimals import INT64_MAX, to_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.fast_init import fast_init

COARSE_NS = 3_600_000_000_000


@fast_init
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

    @property
    def coarse(self) -> bool:
        """Whether it lasts more than an hour: one that holds the opening of a session opens with it. Source: Lean."""
        return self.end_ns - self.start_ns > COARSE_NS


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask beside a bar, at the instrument's scales, and when they were true."""

    at_ns: int
    bid: int
    ask: int


Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64] | npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """A column of exact integers, each `whole` times `factor`; `whole` is int64, or objects where that is too small."""

    whole: Integers
    factor: int = 1

    def at(self, row: int) -> int:
        """The integer of a row."""
        found: int = self.whole.item(row) * self.factor
        return found

    def listed(self) -> list[int]:
        """All of them."""
        factor = self.factor
        return [whole * factor for whole in self.whole.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class BarColumns:
    """Completed bars of one symbol as columns, by row: the same integers as in `Bar`, made only where they are read."""

    instrument: Instrument
    start_ns: npt.NDArray[np.int64]
    interval_ns: int
    open: Units
    high: Units
    low: Units
    close: Units
    volume: Units

    def bar(self, row: int) -> Bar:
        """The bar of a row."""
        start, prices = int(self.start_ns[row]), (self.open, self.high, self.low, self.close, self.volume)
        return Bar(start, start + self.interval_ns, *(column.at(row) for column in prices))


PRICE_MAX = 1e15
"""No price of anything in any currency: a bar with more than that is broken."""

_DIGITS_SAFE = 10**15
"""Below this many units a decimal is the shortest one of its double: 15 digits always survive a double."""


def bars_from_doubles(
    instrument: Instrument,
    start_ns: npt.NDArray[np.int64],
    interval_ns: int,
    ohlcv: tuple[Doubles, Doubles, Doubles, Doubles, Doubles],
) -> Iterator[Bar]:
    """Bars from columns of doubles, exactly. Raises InvalidRequest (E_PRICE_SCALE, E_AMOUNT_NOT_FINITE)."""
    made = bar_columns(instrument, start_ns, interval_ns, ohlcv)
    columns = [column.listed() for column in (made.open, made.high, made.low, made.close, made.volume)]
    for start, opened, high, low, close, size in zip(start_ns.tolist(), *columns, strict=True):
        yield Bar(start, start + interval_ns, opened, high, low, close, size)


def bar_columns(
    instrument: Instrument,
    start_ns: npt.NDArray[np.int64],
    interval_ns: int,
    ohlcv: tuple[Doubles, Doubles, Doubles, Doubles, Doubles],
) -> BarColumns:
    """Bars as columns of exact integers. Raises InvalidRequest (E_PRICE_SCALE, E_AMOUNT_NOT_FINITE)."""
    *prices, volume = ohlcv
    opened, high, low, close = (price_units_of(instrument, column) for column in prices)
    return BarColumns(instrument, start_ns, interval_ns, opened, high, low, close, volume_units_of(instrument, volume))


def bar_from_doubles(
    instrument: Instrument, start_ns: int, interval_ns: int, ohlcv: tuple[float, float, float, float, float]
) -> Bar:
    """One bar from doubles: the same numbers as from columns, so batch and live see the same."""
    opened, high, low, close, volume = (np.array([value], dtype=np.float64) for value in ohlcv)
    [bar] = bars_from_doubles(instrument, np.array([start_ns]), interval_ns, (opened, high, low, close, volume))
    return bar


def exact_units(instrument: Instrument, column: Doubles) -> list[int]:
    """A column of prices in units of the instrument's price scale, to the last digit."""
    return price_units_of(instrument, column).listed()


def price_units_of(instrument: Instrument, column: Doubles) -> Units:
    """As `exact_units`, as a column."""
    column = np.ascontiguousarray(column)
    largest = _largest(column)
    if PRICE_MAX < largest < np.inf:
        raise InvalidRequest(
            "E_AMOUNT_OVERFLOW", f"price is {largest:g}, want at most {PRICE_MAX:g} in {instrument.symbol}"
        )
    found = whole_numbers(column, largest)
    if found is not None and found[1] <= instrument.price_scale:
        return Units(found[0], _POWERS[instrument.price_scale - found[1]])
    found_units = [_at_scale(instrument, units, places) for units, places in _decimals(column, "price")]
    return Units(np.array(found_units, dtype=np.object_))


def volume_units(instrument: Instrument, column: Doubles) -> list[int]:
    """A column of volumes in units of the quantity scale, down; one beyond int64 saturates."""
    return volume_units_of(instrument, column).listed()


def volume_units_of(instrument: Instrument, column: Doubles) -> Units:
    """As `volume_units`, as a column."""
    column = np.ascontiguousarray(column)
    scale, exact = instrument.quantity_scale, whole_numbers(column)
    if exact is not None:
        whole, places = exact
        if places >= scale:
            return Units(whole // 10 ** (places - scale))
        if len(whole) == 0 or int(np.abs(whole).max()) * 10 ** (scale - places) <= INT64_MAX:
            return Units(whole * 10 ** (scale - places))
    found = [
        units * 10 ** (scale - places) if scale >= places else units // 10 ** (places - scale)
        for units, places in _decimals(column, "volume")
    ]
    return Units(np.array([min(units, INT64_MAX) for units in found], dtype=np.object_))


def _largest(column: Doubles) -> float:
    """The largest magnitude; NaN where one is."""
    return max(float(column.max()), -float(column.min())) if len(column) else 0.0


def whole_numbers(column: Doubles, largest: float | None = None) -> tuple[npt.NDArray[np.int64], int] | None:
    """A column as integers and the least places that they all need, where all are decimals of at most 15 digits.

    A part of it needs no more places than the whole: where the search begins. `largest`: its largest magnitude, where
    that is known.
    """
    least, largest = 0, _largest(column) if largest is None else largest
    if len(column) > _PROBED:
        part = whole_numbers(column[:: max(len(column) // _PROBED, 1)][:_PROBED])
        if part is None:
            return None
        least = part[1]
    for places in range(least, _PLACES_SAFE + 1):
        power = 10.0**places
        if not largest * power < _DIGITS_SAFE - 1:
            return None
        whole = _times_power(column, power)
        if whole is not None:
            return whole, places
    return None


def _times_power(column: Doubles, power: float) -> npt.NDArray[np.int64] | None:
    """A column times a power of ten; None where one is no integer. By blocks, which stay in a cache."""
    found = np.empty(len(column), dtype=np.int64)
    for begin in range(0, len(column), _BLOCK):
        part = column[begin : begin + _BLOCK]
        whole = part * power
        np.rint(whole, out=whole)
        if not np.array_equal(whole / power, part):
            return None
        found[begin : begin + len(part)] = whole
    return found


def _at_scale(instrument: Instrument, units: int, places: int) -> int:
    if places <= instrument.price_scale:
        return units * _POWERS[instrument.price_scale - places]
    return instrument.price_units(Decimal(units).scaleb(-places))


_POWERS: tuple[int, ...] = tuple(10**places for places in range(2 * PRICE_PLACES))


_PLACES_SAFE = 15
_PROBED = 64
_BLOCK = 8_192


def _decimals(column: Doubles, what: str) -> Iterator[tuple[int, int]]:
    """The shortest decimal of each double, as units and places: `units / 10**places`."""
    if not np.isfinite(column).all():
        raise InvalidRequest("E_AMOUNT_NOT_FINITE", f"{what} holds a value that is not finite")
    units, places = np.zeros(len(column)), np.full(len(column), -1)
    for tried in range(16):
        # an integer of a double over a power of ten that is one too: the quotient is the double nearest to it
        with np.errstate(over="ignore"):
            whole = np.rint(column * 10.0**tried)
        fits = (places < 0) & (np.abs(whole) < _DIGITS_SAFE) & (whole / 10.0**tried == column)
        units[fits], places[fits] = whole[fits], tried
        if (places >= 0).all():
            break
    for value, whole_units, found in zip(column.tolist(), units.tolist(), places.tolist(), strict=True):
        yield (int(whole_units), found) if found >= 0 else _longest(value)


def _longest(value: float) -> tuple[int, int]:
    """A double of 16 or 17 digits, or one that is very large or small."""
    sign, digits, exponent = to_decimal(value).as_tuple()
    power = exponent if isinstance(exponent, int) else 0
    units = int("".join(map(str, digits))) * (-1 if sign else 1)
    return (units * 10**power, 0) if power >= 0 else (units, -power)
