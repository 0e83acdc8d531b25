"""Bars of one symbol as arrays: what a backtest reads and what a live stream appends to.

A bar is labelled by its open and known at its close (open + interval). Times are ns since 1970 UTC on the
interval's grid, strictly increasing; gaps are allowed and stay gaps. Prices are float64 for computing;
execution takes them as decimals by their shortest round-trip text, never as binary fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.core.volumes import VolumeUnit
from qmtl.sdk.graph.names import parse_interval
from qmtl.sdk.graph.schemas import OHLCV
from seamless.domain.bars import first_impossible

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from qmtl.core.arrays import Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """`open_ns` (n,) int64 and `values` (n, 5) float64: open, high, low, close, volume. Read-only.

    `volume_unit` says what the volume counts: the instrument, or its value in quote currency.
    """

    symbol: str
    interval_s: int
    open_ns: Times
    values: Floats
    volume_unit: VolumeUnit = VolumeUnit.BASE

    def __post_init__(self) -> None:
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
        times, values = self.open_ns[low:high].copy(), self.values[low:high].copy()
        return replace(self, open_ns=times, values=values)

    @staticmethod
    def from_frame(frame: pl.DataFrame, symbol: str, interval: str, time: str = "time") -> Bars:
        """Bars of a polars frame with a UTC time column and open, high, low, close, volume."""
        import polars as pl

        stamps = frame[time]
        if stamps.dtype.is_temporal():
            stamps = stamps.cast(pl.Datetime("ns", "UTC")).to_physical()
        values = np.column_stack([frame[field].cast(pl.Float64).to_numpy() for field in OHLCV.fields])
        return Bars(symbol, parse_interval(interval), stamps.to_numpy().astype(np.int64), values)

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
