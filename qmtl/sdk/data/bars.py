"""Bars of one symbol as arrays: what a backtest reads and what a live stream appends to.

A bar is labelled by its open and known at its close (open + interval). Times are ns since 1970 UTC on the
interval's grid, strictly increasing; gaps are allowed and stay gaps. Prices are float64 for computing;
execution takes them as decimals by their shortest round-trip text, never as binary fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.core.volumes import VolumeUnit
from qmtl.sdk.data.files import FileForm, read_candles, read_columns, sample_columns
from qmtl.sdk.graph.names import parse_interval
from qmtl.sdk.graph.schemas import OHLCV
from seamless.domain.bars import first_impossible

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from qmtl.core.arrays.types import Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """`open_ns` (n,) int64 and `values` (n, 5) float64: open, high, low, close, volume. Read-only, kept by columns.

    `volume_unit` says what the volume counts: the instrument, or its value in quote currency.
    """

    symbol: str
    interval_s: int
    open_ns: Times
    values: Floats
    volume_unit: VolumeUnit = VolumeUnit.BASE

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asfortranarray(self.values))
        _check(self.open_ns, self.values, self.interval_s)
        self.open_ns.flags.writeable = False
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.open_ns)

    @property
    def close_ns(self) -> Times:
        """When each bar became known."""
        return self.open_ns + self.interval_s * NS_PER_S

    def between(self, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Bars that open in [start, end)."""
        low = 0 if start_ns is None else int(np.searchsorted(self.open_ns, start_ns))
        high = len(self) if end_ns is None else int(np.searchsorted(self.open_ns, end_ns))
        times, values = self.open_ns[low:high].copy(), self.values[low:high]
        return replace(self, open_ns=times, values=values)

    @staticmethod
    def from_csv(
        path: str | Path,
        symbol: str,
        interval: str = "",
        *,
        zone: str = "",
        dates: str = "",
        decimal: str = "",
        calendar: str = "24/7",
        repair: bool = False,
        volume_unit: VolumeUnit = VolumeUnit.BASE,
    ) -> Bars:
        """Bars of a CSV or Parquet file: separator, columns and the form of times and numbers are found.

        `interval` empty: the most frequent step. Texts without a zone are of `zone`; `dates` DMY or MDY and `decimal`
        . or , settle what can be read in two ways; `calendar` (XNYS): daily bars are sessions. What conformance would
        drop or repair is refused; `repair` True does it and logs it.

        Raises NotFound (E_DATA_MISSING); InvalidRequest: E_FILE_LAYOUT, E_FIELD, E_BARS, E_INTERVAL,
        E_CALENDAR_UNKNOWN.
        """
        given, form = parse_interval(interval) if interval else 0, FileForm(zone, dates, decimal, calendar)
        interval_s, open_ns, values = read_columns(Path(path), symbol, given, form, repair=repair)
        return Bars(symbol, interval_s, open_ns, values, volume_unit)

    from_parquet = from_csv

    @staticmethod
    def from_ccxt_file(path: str | Path, symbol: str, interval: str, *, repair: bool = False) -> Bars:
        """Bars of what ccxt's `fetch_ohlcv` returned, kept as JSON: rows of [ms of the open, open, high, low, close,
        volume in base units], as freqtrade's `download-data --data-format-ohlcv json` keeps them too.

        The last row of an exchange's answer may be a bar that is not over: leave it out. Judged as by `from_csv`.

        Raises NotFound (E_DATA_MISSING); InvalidRequest: E_FILE_LAYOUT, E_BARS, E_INTERVAL.
        """
        interval_s = parse_interval(interval)
        return Bars(symbol, interval_s, *read_candles(Path(path), interval_s, repair=repair))

    @staticmethod
    def sample(name: str = "demo.btc.15m") -> Bars:
        """Bars that come with qmtl[demo], by the name of the mesh's preset. Raises NotFound (E_DATA_MISSING)."""
        symbol, interval_s, open_ns, values = sample_columns(name)
        unit = VolumeUnit.QUOTE if symbol == "BTC-USD" else VolumeUnit.BASE  # Yahoo counts a coin's volume in dollars
        return Bars(symbol, interval_s, open_ns, values, unit)

    @staticmethod
    def from_polars(frame: pl.DataFrame, symbol: str, interval: str, time: str = "time", zone: str = "") -> Bars:
        """Bars of a polars frame with a column of open times and open, high, low, close, volume.

        Times without a zone are of `zone` ("America/New_York").

        Raises InvalidRequest: E_FIELD for another kind of frame, a missing column, times that are none or that have no
        zone; E_BARS.
        """
        import polars as pl

        if not isinstance(frame, pl.DataFrame):
            raise refused("E_FIELD", "frame", _kind(frame), "a polars DataFrame; Bars.from_pandas takes one of pandas")
        _require_columns(frame.columns, (time, *OHLCV.fields))
        stamps = frame[time]
        if not isinstance(stamps.dtype, pl.Datetime):
            raise refused("E_FIELD", time, str(stamps.dtype), "times: Series.str.to_datetime(...) makes them of text")
        if stamps.dtype.time_zone is None:
            _require_zone(time, zone)
            try:
                stamps = stamps.dt.replace_time_zone(zone)
            except pl.exceptions.ComputeError as error:
                raise _bad_zone(zone, error) from None
        open_ns = stamps.dt.convert_time_zone("UTC").dt.epoch("ns").to_numpy().astype(np.int64)
        values = np.column_stack([frame[field].cast(pl.Float64).to_numpy() for field in OHLCV.fields])
        return Bars(symbol, parse_interval(interval), open_ns, values)

    @staticmethod
    def from_pandas(frame: pd.DataFrame, symbol: str, interval: str, time: str = "", zone: str = "") -> Bars:
        """Bars of a pandas frame with open, high, low, close and volume, upper or lower case.

        `time` names the column of open times; empty: the index. Times without a zone are of `zone`.

        Raises as from_polars.
        """
        import pandas as pd

        if not isinstance(frame, pd.DataFrame):
            raise refused("E_FIELD", "frame", _kind(frame), "a pandas DataFrame; Bars.from_polars takes one of polars")
        named = {str(name).lower(): name for name in frame.columns}
        _require_columns(named, ((time.lower(),) if time else ()) + OHLCV.fields)
        given = frame[named[time.lower()]] if time else frame.index
        if not pd.api.types.is_datetime64_any_dtype(given.dtype):
            raise refused("E_FIELD", time or "index", str(given.dtype), "times: pandas.to_datetime(...) makes them")
        stamps = pd.DatetimeIndex(given)
        if stamps.tz is None:
            _require_zone(time or "index", zone)
            try:
                stamps = stamps.tz_localize(zone)
            except (KeyError, ValueError) as error:  # no such zone; an hour that comes twice, or never
                raise _bad_zone(zone, error) from None
        open_ns = stamps.tz_convert("UTC").as_unit("ns").asi8.astype(np.int64)
        values = np.column_stack([frame[named[field]].to_numpy(dtype=np.float64) for field in OHLCV.fields])
        return Bars(symbol, parse_interval(interval), open_ns, values)

    @staticmethod
    def from_arrow(table: pa.Table, symbol: str, interval_s: int, time: str = "time") -> Bars:
        """Bars of an Arrow table with a UTC timestamp column and open, high, low, close, volume."""
        import pyarrow as pa

        stamps = table.column(time).cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
        columns = [table.column(field).cast(pa.float64()).to_numpy() for field in OHLCV.fields]
        return Bars(symbol, interval_s, stamps.astype(np.int64), np.column_stack(columns))

    @staticmethod
    def from_rows(rows: Iterable[tuple[datetime, Sequence[float]]], symbol: str, interval: str) -> Bars:
        """Bars of (open time, (open, high, low, close, volume)) pairs; for tests and small examples."""
        pairs = list(rows)
        stamps = np.array([to_ns(time) for time, _ in pairs], dtype=np.int64)
        values = np.array([list(row) for _, row in pairs], dtype=np.float64).reshape(len(pairs), 5)
        return Bars(symbol, parse_interval(interval), stamps, values)


def _require_zone(field: str, zone: str) -> None:
    if not zone:
        raise refused("E_FIELD", field, "times without a zone", 'zone="UTC", or that of the exchange')


def _bad_zone(zone: str, error: Exception) -> InvalidRequest:
    return refused("E_FIELD", "zone", zone, f"a zone in which each of the times is one instant: {error}")


def _require_columns(have: Iterable[str], want: Iterable[str]) -> None:
    found = list(have)
    missing = [name for name in want if name not in found]
    if missing:
        raise refused("E_FIELD", "columns", ", ".join(found), f"also {', '.join(missing)}")


def _kind(frame: object) -> str:
    return f"a {type(frame).__module__.partition('.')[0]} {type(frame).__name__}"


def _check(open_ns: Times, values: Floats, interval_s: int) -> None:
    if open_ns.dtype != np.int64 or values.dtype != np.float64 or values.shape != (len(open_ns), 5):
        raise refused("E_BARS", "bars", f"{open_ns.shape} x {values.shape}", "int64 times and float64 rows of 5")
    if len(open_ns) > 1 and not bool((np.diff(open_ns) > 0).all()):
        raise refused("E_BARS", "time", "not strictly increasing", "sorted bars, each open time once")
    if bool((open_ns % (interval_s * NS_PER_S) != 0).any()):
        raise refused("E_BARS", "time", "off the grid", f"open times on the {interval_s} s grid")
    if not bool(np.isfinite(values).all()):
        raise refused("E_BARS", "values", "NaN or infinite", "finite numbers; leave a missing bar out instead")
    fault = first_impossible(tuple(values.T))
    if fault is not None:
        raise refused("E_BARS", f"bars[{fault.row}].{fault.field}", fault.value, fault.want)
