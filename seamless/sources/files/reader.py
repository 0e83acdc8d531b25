"""Reading files from outside into raw columns; judging them is conformance's work.

A file is CSV or Parquet with its columns named by a mapping. The packaged BTC-USD sample is found
through package metadata, so the package (which imports pandas) is never imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.sources.files.numbers import kind_of

_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file with bars: where it is, who made it, what its columns are called (ours to theirs)."""

    path: Path
    producer: str
    columns: Mapping[str, str]
    time_format: str = "%Y-%m-%d %H:%M:%S%z"
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    window: Span | None = None  # of the file, only rows of these times are read


def read(source: FileSource) -> RawColumns:
    """The file's columns under our names. Raises NotReady (E_DATASET_UNAVAILABLE) if it cannot be read."""
    try:
        frame = pl.read_parquet(source.path) if source.path.suffix == ".parquet" else pl.read_csv(source.path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotReady("E_DATASET_UNAVAILABLE", f"{source.path.name}: {error}") from error
    present = {ours: theirs for ours, theirs in source.columns.items() if theirs in frame.columns}
    columns: dict[str, NDArray[np.generic]] = {
        ours: _numbers(frame[theirs]) for ours, theirs in present.items() if ours != "time"
    }
    others = {name: kind_of(frame[name]) for name in frame.columns if name not in present.values()}
    if "time" not in present:
        return RawColumns(columns, utc_known=True, others=others)
    columns["time"], utc_known = _instants(frame[present["time"]], source)
    if source.window is not None:
        time_ns = columns["time"].astype(np.int64)
        inside = (time_ns >= source.window.start_ns) & (time_ns < source.window.end_ns)
        columns = {name: column[inside] for name, column in columns.items()}
    return RawColumns(columns, utc_known, others=others)


def _numbers(column: pl.Series) -> NDArray[np.generic]:
    if column.dtype.is_integer() and not column.has_nulls():
        return column.to_numpy()
    return (
        column.cast(pl.Float64).fill_null(float("nan")).to_numpy() if column.dtype.is_numeric() else column.to_numpy()
    )


def _instants(column: pl.Series, source: FileSource) -> tuple[NDArray[np.generic], bool]:
    """Nanoseconds since the epoch, and whether the file stated the offset."""
    if column.dtype.is_integer():
        instants, known = column.cast(pl.Int64) * _UNIT_NS[source.time_unit], True
    elif isinstance(column.dtype, pl.Datetime):
        instants, known = column.dt.epoch("ns"), column.dtype.time_zone is not None
    elif column.dtype == pl.String:
        if "%H" not in source.time_format:  # the date of a session is that date in every zone
            dates = column.str.to_date(source.time_format, strict=False)
            return dates.cast(pl.Datetime("ns")).dt.epoch("ns").fill_null(NO_TIME).to_numpy(), True
        known = "%z" in source.time_format
        zone = "UTC" if known else None
        parsed = column.str.to_datetime(source.time_format, time_unit="ns", time_zone=zone, strict=False)
        instants = parsed.dt.epoch("ns")
    else:
        return column.to_numpy(), False
    return instants.fill_null(NO_TIME).to_numpy(), known
