"""A file of bars nobody described: its separator, columns, numbers, times and interval found, and told.

What can be read in two ways is refused with the option that settles it; nothing is chosen by habit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from qmtl.calendars.calendars import AlwaysOpen, Calendar
from qmtl.calendars.spans import grid_origin
from qmtl.calendars.trading import ExchangeCalendar
from qmtl.core.errors import refused
from seamless.domain.bars import VALUES
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.domain.datasets import NS, WEEK_S
from seamless.sources.files.headers import Columns, find_columns
from seamless.sources.files.numbers import NumberFormat, kind_of, number_format, parse_numbers
from seamless.sources.files.tables import SEPARATORS, Table, read_table
from seamless.sources.files.times import Times, common_step_ns, countable, local_dates, parse_times

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class FileHints:
    """What a person said of a file. Empty: to be found. `dates` DMY or MDY, `decimal` . or ,"""

    symbol: str
    interval_s: int = 0
    zone: str = ""
    dates: str = ""
    decimal: str = ""


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How a file was read, for a person; `columns` ours to theirs."""

    separator: str
    decimal: str
    time: str
    columns: Mapping[str, str]
    unread: tuple[str, ...]
    interval_s: int


def detect(content: bytes, hints: FileHints, calendar: Calendar) -> tuple[RawColumns, FileLayout]:
    """The columns of a file and how they were found. Raises InvalidRequest (E_FILE_LAYOUT)."""
    try:
        return _detected(read_table(content), hints, calendar)
    except pl.exceptions.PolarsError as error:  # columns of lists, of bytes
        raise refused("E_FILE_LAYOUT", "file", str(error)[:200], "columns of times and numbers") from None


def _detected(table: Table, hints: FileHints, calendar: Calendar) -> tuple[RawColumns, FileLayout]:
    columns = find_columns(table.first, hints.symbol)
    rows = table.rows.slice(1) if columns.headed and table.separator else table.rows
    rows = _rows_of_symbol(rows, columns, hints.symbol)
    values, form = _values(rows, columns, table, hints.decimal)
    times = _times(rows, columns, hints)
    interval_s = hints.interval_s or _interval_s(times.ns)
    times = _labelled(times, interval_s, calendar, hints.zone)
    layout = FileLayout(
        separator=SEPARATORS.get(table.separator, table.typed),
        decimal={"": "", ".": "point", ",": "comma"}[form.decimal if form else ""],
        time=times.words,
        columns={ours: columns.names[place] for ours, place in columns.places.items()},
        unread=columns.unread,
        interval_s=interval_s,
    )
    others = {columns.names[place]: kind_of(rows[str(place)], form) for place in columns.unread_places}
    return RawColumns({"time": times.ns, **values}, times.utc_known, others=others), layout


def _values(
    rows: pl.DataFrame, columns: Columns, table: Table, decimal: str
) -> tuple[dict[str, NDArray[np.generic]], NumberFormat | None]:
    series = {name: rows[str(columns.places[name])] for name in VALUES}
    texts = [column for column in series.values() if column.dtype == pl.String]
    if decimal:
        form = NumberFormat(decimal, "." if decimal == "," else ",")
    else:
        form = number_format(texts, table.separator) if texts else NumberFormat()
    return {name: _numeric(column, form) for name, column in series.items()}, form if texts else None


def _numeric(column: pl.Series, form: NumberFormat) -> NDArray[np.generic]:
    if column.dtype == pl.String:
        return parse_numbers(column, form)
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    raise refused("E_FILE_LAYOUT", "columns", f"a column of {column.dtype}", "numbers")


def _times(rows: pl.DataFrame, columns: Columns, hints: FileHints) -> Times:
    column = rows[str(columns.places["time"])]
    if columns.time_of_day is not None and column.dtype == pl.String:
        column = column.str.strip_chars() + " " + rows[str(columns.time_of_day)].str.strip_chars()
    if isinstance(column.dtype, pl.Datetime):
        known = column.dtype.time_zone is not None
        column = countable(column)
        ns = column.dt.epoch("ns").fill_null(NO_TIME).to_numpy()
        if not known:
            texts = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
            return parse_times(texts, hints.zone, hints.dates)
        return Times(ns, "timestamps with a zone", False, True)
    return parse_times(column.cast(pl.String), hints.zone, hints.dates)


def _interval_s(ns: NDArray[np.int64]) -> int:
    step = common_step_ns(ns)
    if not NS <= step <= WEEK_S * NS or step % NS:
        raise refused("E_FILE_LAYOUT", "interval", f"{step / NS:g} s between most rows", "1 s to 1 w, or say it")
    return step // NS


def _labelled(times: Times, interval_s: int, calendar: Calendar, zone: str) -> Times:
    """Daily bars of an exchange by the date of their session, whatever hour they were stamped with."""
    interval_ns = interval_s * NS
    if times.plain_dates or interval_ns % DAY_NS or isinstance(calendar, AlwaysOpen):
        return times
    if bool((np.where(times.ns == NO_TIME, 0, times.ns - grid_origin(interval_ns)) % interval_ns == 0).all()):
        return times
    zone = zone or (_zone_of(calendar, times.ns) if isinstance(calendar, ExchangeCalendar) else "")
    words = f"{times.words}; sessions by their date in {zone}"
    return Times(local_dates(times.ns, zone), words, True, times.utc_known)


def _zone_of(calendar: ExchangeCalendar, ns: NDArray[np.int64]) -> str:
    known = ns[ns != NO_TIME]
    newest = int(known.max()) if known.size else 0
    return calendar.hours_of(datetime.fromtimestamp(newest // NS, ZoneInfo("UTC")).year).tz


def _rows_of_symbol(rows: pl.DataFrame, columns: Columns, symbol: str) -> pl.DataFrame:
    """Of a file with several symbols, those of one."""
    if "symbol" not in columns.places:
        return rows
    names = rows[str(columns.places["symbol"])].cast(pl.String).str.strip_chars()
    told = names.unique().drop_nulls().sort()
    plain = symbol.replace("/", "").replace("-", "").upper()
    same = names.str.replace_all("[/-]", "").str.to_uppercase() == plain
    if same.any() or told.is_empty():
        return rows.filter(same) if same.any() else rows
    shown = ", ".join(told.head(10).to_list())
    raise refused("E_FILE_LAYOUT", "symbol", repr(symbol), f"one that the file has: {shown}")
