"""Arrow IPC as a file of bars: stream and file are read alike; what is no table of plain columns is refused."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import polars as pl
import pyarrow as pa
import pytest

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.errors import InvalidRequest
from seamless.domain.bars import VALUES
from seamless.sources.files import tables
from seamless.sources.files.detection import FileHints, detect

OPENED = [datetime(2024, 1, 2, 9, minute, tzinfo=UTC) for minute in range(10)]
BARS = pa.table({"Date": pa.array(OPENED), **{name.title(): [1.5 + row for row in range(10)] for name in VALUES}})


def stream(table: pa.Table, compression: str | None = None, about: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for batch in table.to_batches(max_chunksize=4 if len(table) == len(OPENED) else None):
            writer.write_batch(batch, custom_metadata=about)
    return out.getvalue()


def file(table: pa.Table, compression: str | None = None, about: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for batch in table.to_batches(max_chunksize=4 if len(table) == len(OPENED) else None):
            writer.write_batch(batch, custom_metadata=about)
    return out.getvalue()


def of_polars() -> bytes:
    out = io.BytesIO()
    pl.DataFrame(pl.from_arrow(BARS)).write_ipc(out, compression="uncompressed")
    return out.getvalue()


@pytest.mark.parametrize("content", [stream(BARS), file(BARS), of_polars()])
def test_both_forms_of_arrow_keep_their_types(content: bytes) -> None:
    raw, layout = detect(content, FileHints("X"), AlwaysOpen())
    assert raw.utc_known
    assert (layout.separator, layout.decimal, layout.interval_s) == ("Arrow IPC", "", 60)
    assert layout.columns["time"] == "Date"
    assert raw.columns["time"].tolist() == [int(at.timestamp()) * 1_000_000_000 for at in OPENED]
    assert raw.columns["close"].tolist() == [1.5 + row for row in range(10)]


def test_texts_of_arrow_are_read_as_those_of_csv() -> None:
    texts = {"symbol": ["X", "Y"] * 5, "Date": [f"2024-01-02 09:{row:02d}:00Z" for row in range(10)]}
    raw, layout = detect(
        stream(
            BARS.drop_columns("Date")
            .add_column(0, "s", [texts["symbol"]])
            .append_column("Date", [texts["Date"]])
            .rename_columns(["symbol", *(name.title() for name in VALUES), "Date"])
        ),
        FileHints("X"),
        AlwaysOpen(),
    )
    assert raw.columns["close"].tolist() == [1.5, 3.5, 5.5, 7.5, 9.5]
    assert layout.interval_s == 120


@pytest.mark.parametrize(
    "odd",
    [
        pa.nulls(10),
        pa.array([True] * 10),
        pa.array(["a"] * 10).dictionary_encode(),
        pa.array(["a"] * 10, pa.string_view()),
        pa.array([[1.0]] * 10),
        pa.RunEndEncodedArray.from_arrays([10], [1.0]),
    ],
)
def test_columns_that_may_be_larger_than_their_bytes_are_refused_by_name(odd: pa.Array) -> None:
    for content in (stream(BARS.append_column("odd", odd)), file(BARS.append_column("odd", odd))):
        with pytest.raises(InvalidRequest, match=r"E_FILE_LAYOUT: odd is .*want numbers, dates, timestamps or strings"):
            tables.read_table(content)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_batches_are_refused_unread(compression: str) -> None:
    many = pa.table({name: pa.repeat(1.0, 100_000) for name in BARS.column_names})
    for content in (stream(many, compression), file(many, compression)):
        with pytest.raises(InvalidRequest, match="E_FILE_LAYOUT: file is compressed Arrow IPC, want"):
            tables.read_table(content)


def test_batches_that_were_compressed_as_arrow_once_did_are_refused_unread() -> None:
    about = {"ARROW:experimental_compression": "zstd"}
    for content in (stream(BARS, about=about), file(BARS, about=about)):
        with pytest.raises(InvalidRequest, match="E_FILE_LAYOUT: file is compressed Arrow IPC, want"):
            tables.read_table(content)


def test_more_cells_than_memory_holds_are_refused() -> None:
    assert tables.read_table(stream(BARS), cells_max=60).rows.height == 10
    with pytest.raises(InvalidRequest, match=r"10 rows of 6 columns, want at most 59 in rows and columns"):
        tables.read_table(stream(BARS), cells_max=59)


def test_no_changed_bytes_are_more_than_a_refusal() -> None:
    """Sizes that are larger than any memory among them."""
    random, refusals = Random(3), 0
    for whole in (stream(BARS), file(BARS)):
        for _ in range(150):
            content = bytearray(whole)
            for _ in range(random.randint(1, 3)):
                content[random.randrange(8, len(content))] = random.choice((random.randrange(256), 0, 127, 255))
            try:
                tables.read_table(bytes(content))
            except InvalidRequest:
                refusals += 1
    assert refusals > 50
    for end in range(8, len(stream(BARS)), 97):
        with suppress(InvalidRequest):  # a stream may end after any batch
            assert tables.read_table(stream(BARS)[:end]).rows.height < 10
