"""Rows as they are sent, from whoever sends them: what is no table of numbers is refused, and the process goes on."""

from __future__ import annotations

import io
from random import Random

import polars as pl
import pytest

from qmtl.core.errors import InvalidRequest
from seamless.features.arrow import TIME, rows_of_arrow

ROWS = pl.DataFrame({TIME: [1, 2, 3], "v": [1.0, 2.0, 3.0]}, {TIME: pl.Int64, "v": pl.Float64})


def sent(frame: pl.DataFrame, compression: pl._typing.IpcCompression = "uncompressed") -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out, compression=compression)
    return out.getvalue()


def test_rows_come_as_they_were_sent() -> None:
    rows, kinds = rows_of_arrow(sent(ROWS))
    assert (rows.time_ns.tolist(), rows.columns["v"].tolist()) == ([1, 2, 3], [1.0, 2.0, 3.0])
    assert kinds == {TIME: "i", "v": "f"}


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_what_may_be_larger_than_its_bytes_is_refused_unread(compression: pl._typing.IpcCompression) -> None:
    many = pl.select(pl.repeat(1, 2_000_000, dtype=pl.Int64).alias(TIME))
    with pytest.raises(InvalidRequest, match="arrow_ipc is compressed"):
        rows_of_arrow(sent(many, compression))


@pytest.mark.parametrize("odd", [pl.lit("a"), pl.lit(None), pl.lit(1, pl.Int32), pl.lit(None, pl.Float64)])
def test_what_is_no_number_is_refused(odd: pl.Expr) -> None:
    with pytest.raises(InvalidRequest, match="E_FEATURE_ROWS: odd is"):
        rows_of_arrow(sent(ROWS.with_columns(odd.alias("odd"))))


def test_spoilt_bytes_are_refused_and_end_nothing() -> None:
    """Sizes that are larger than any memory among them: read by polars, they ended the process."""
    good, random, refusals = sent(ROWS), Random(1), 0
    for _ in range(2_000):
        spoilt = bytearray(good)
        for _ in range(random.randint(1, 3)):
            spoilt[random.randrange(len(spoilt))] = random.choice((random.randrange(256), 0, 127, 128, 255))
        try:
            assert rows_of_arrow(bytes(spoilt))[0].time_ns.size < len(good)
        except InvalidRequest:
            refusals += 1
    assert refusals > 500
