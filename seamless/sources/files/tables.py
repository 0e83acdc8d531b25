"""The content of a file as columns of text, whatever its encoding and separator; Parquet and Arrow keep their types."""

from __future__ import annotations

import codecs
import csv
import io
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from qmtl.core.errors import InvalidRequest, refused

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
FIELDS_MIN = 6
CELLS_MAX = 60_000_000  # a small Parquet file may say that it has more rows than memory holds
_HEAD_LINES = 200
_ARROW_STARTS = (b"ARROW1\0\0", b"\xff\xff\xff\xff")  # of a file, of a stream


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of a file without what stands above them; `first` is the row that may be a header.

    A row with another number of fields than the rest is a row of nulls: it counts, and nothing of it is read.
    """

    first: tuple[str, ...]
    rows: pl.DataFrame
    separator: str  # empty: columns with types
    typed: str = ""  # "Parquet" or "Arrow IPC"


def read_table(content: bytes, cells_max: int = CELLS_MAX) -> Table:
    """Raises InvalidRequest (E_FILE_LAYOUT) for what is no table of at least six columns, or one of too many cells."""
    if content[:4] == b"PAR1":
        return _typed(content, cells_max, "Parquet", _parquet)
    if content.startswith(_ARROW_STARTS):
        return _typed(content, cells_max, "Arrow IPC", _arrow_ipc)
    text = _text(content)
    lines = [line for line in text.splitlines()[:_HEAD_LINES] if line.strip()]
    separator, width = _separator(lines)
    if (frame := _regular(text, separator, width, cells_max)) is not None:
        return Table(frame.row(0), frame, separator)
    rows = _rows(text, separator, cells_max)
    start = next(place for place, row in enumerate(rows) if len(row) == width)
    body = rows[start:]
    columns = list(zip(*(row if len(row) == width else (None,) * width for row in body), strict=True))
    frame = pl.DataFrame({str(place): pl.Series(column, dtype=pl.String) for place, column in enumerate(columns)})
    return Table(tuple(body[0]), frame, separator)


def _regular(text: str, separator: str, width: int, cells_max: int) -> pl.DataFrame | None:
    """The rows of a text whose lines all have one number of fields, read at once; None: `_rows` has to look at each."""
    fields = text.count(separator)
    if '"' in text or "\r" in text.replace("\r\n", "") or fields > cells_max:
        return None
    if fields != (width - 1) * (text.count("\n") + (not text.endswith("\n"))):
        return None  # a line with less than the others
    schema = {str(place): pl.String for place in range(width)}
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            has_header=False,
            separator=separator,
            schema=schema,
            quote_char=None,
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError:
        return None
    is_blank = pl.all_horizontal(pl.all().str.strip_chars() == "")
    return None if frame.is_empty() or frame.select(is_blank.any()).item() else frame


def _rows(text: str, separator: str, cells_max: int) -> list[list[str]]:
    if text.count(separator) > cells_max:
        raise _too_many(f"{text.count(separator)} fields", cells_max)
    try:
        found = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return [row for row in found if any(field.strip() for field in row)]
    except csv.Error as error:
        raise refused("E_FILE_LAYOUT", "file", str(error), "rows of short fields") from None


def _too_many(found: str, cells_max: int) -> InvalidRequest:
    return refused("E_FILE_LAYOUT", "file", found, f"at most {cells_max} in rows and columns")


def _separator(lines: Sequence[str]) -> tuple[str, int]:
    """The separator that gives most lines one number of fields, and that number."""
    best = (0.0, ",", 0)
    for separator in SEPARATORS:
        widths = Counter(len(row) for row in _rows("\n".join(lines), separator, CELLS_MAX))
        width, count = max(widths.items(), key=lambda found: (found[1], found[0]), default=(0, 0))
        if width >= FIELDS_MIN and count > best[0]:
            best = (count, separator, width)
    if not best[2]:
        shown = lines[0][:80] if lines else "nothing"
        raise refused("E_FILE_LAYOUT", "file", repr(shown), "a table with time, open, high, low, close and volume")
    return best[1], best[2]


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # names of columns are all that can differ


def _typed(content: bytes, cells_max: int, form: str, read: Callable[[bytes, int], pa.Table]) -> Table:
    """Arrow's own library reads it, for polars ends the process where damaged bytes say how large they are."""
    import pyarrow as pa  # only where it is needed: it costs 100 ms at import

    broken = (pa.ArrowException, OSError, ValueError, struct.error)
    try:
        table = read(content, cells_max)
        table.validate(full=True)
        table = table.rename_columns(table.column_names)  # a name that is no text is an error here, a panic in polars
        frame = pl.from_arrow(table)
        if not isinstance(frame, pl.DataFrame) or frame.height != table.num_rows:
            raise ValueError(f"it says that it has {table.num_rows} rows")
        frame = frame.with_columns(pl.col(pl.Categorical).cast(pl.String))
    except (*broken, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise refused("E_FILE_LAYOUT", "file", f"{form} that cannot be read: {error}"[:200], f"whole {form}") from None
    names = tuple(frame.columns)
    return Table(names, frame.rename({name: str(place) for place, name in enumerate(names)}), "", form)


def _parquet(content: bytes, cells_max: int) -> pa.Table:
    """The rows of Parquet. Texts are read by a dictionary: one of them in many rows is held once."""
    import pyarrow as pa
    from pyarrow import parquet

    source = pa.BufferReader(content)
    about = parquet.read_metadata(source)
    rows, width = about.num_rows, about.num_columns
    if rows * width > cells_max:
        raise _too_many(f"{rows} rows of {width} columns", cells_max)
    schema = about.schema.to_arrow_schema()
    texts = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
    with parquet.ParquetFile(source, read_dictionary=texts) as file:
        table = file.read(use_threads=False)
    if table.num_rows != rows:
        raise ValueError(f"it says that it has {rows} rows")
    return table


def _arrow_ipc(content: bytes, cells_max: int) -> pa.Table:
    """The rows of an Arrow stream or an Arrow file."""
    import pyarrow as pa

    from seamless import arrow

    is_file = content.startswith(arrow.FILE_START)
    is_plain = (
        *(pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_decimal),
        *(pa.types.is_timestamp, pa.types.is_date, pa.types.is_string, pa.types.is_large_string),
    )
    with pa.ipc.open_file(content) if is_file else pa.ipc.open_stream(content) as reader:
        for one in reader.schema:
            if not any(fits(one.type) for fits in is_plain):  # what may be far larger than its bytes
                want = "numbers, dates, timestamps or strings"
                raise refused("E_FILE_LAYOUT", one.name[:80], str(one.type)[:80], want)
        if arrow.has_compressed_blocks(content) if is_file else arrow.has_compressed_batches(content):
            raise refused("E_FILE_LAYOUT", "file", "compressed Arrow IPC", "Arrow IPC without compression, or Parquet")
        table = reader.read_all()
    if table.num_rows * table.num_columns > cells_max:
        raise _too_many(f"{table.num_rows} rows of {table.num_columns} columns", cells_max)
    return table
