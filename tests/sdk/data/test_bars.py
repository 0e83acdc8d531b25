"""Bars: conversions, the grid, exact decimals."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, to_ns
from qmtl.sdk import Bars

ROW = (1.0, 2.0, 0.5, 1.5, 10.0)
T0 = datetime(2021, 10, 1, tzinfo=UTC)


def three() -> Bars:
    return Bars.from_rows([(T0 + timedelta(minutes=15 * k), ROW) for k in (0, 1, 3)], "BTC-USD", "15m")


def test_frame_and_arrow_make_the_same_bars() -> None:
    bars = three()
    frame = pl.DataFrame({"time": [from_ns(t) for t in bars.open_ns.tolist()]}).with_columns(
        pl.Series(name, bars.values[:, i]) for i, name in enumerate(("open", "high", "low", "close", "volume"))
    )
    for other in (Bars.from_frame(frame, "BTC-USD", "15m"), Bars.from_arrow(frame.to_arrow(), "BTC-USD", 900)):
        assert other.open_ns.tolist() == bars.open_ns.tolist()
        assert other.values.tobytes() == bars.values.tobytes()
    assert isinstance(frame.to_arrow(), pa.Table)


def test_a_bar_is_known_at_its_close() -> None:
    assert three().close_ns[0] == to_ns(T0 + timedelta(minutes=15))


def test_between_is_half_open_and_a_copy() -> None:
    bars = three()
    assert len(bars.between(to_ns(T0), to_ns(T0 + timedelta(minutes=15)))) == 1
    assert len(bars.between()) == 3


@pytest.mark.parametrize(
    ("times", "row", "said"),
    [
        ((0, 0), ROW, "each open time once"),
        ((1, 0), ROW, "each open time once"),
        ((0.5, 1), ROW, "grid"),
        ((0, 1), (1.0, 2.0, 0.5, float("nan"), 1.0), "finite"),
    ],
)
def test_bad_bars_are_refused(times: tuple[float, float], row: tuple[float, ...], said: str) -> None:
    with pytest.raises(InvalidRequest, match=f"E_BARS.*{said}"):
        Bars.from_rows([(T0 + timedelta(minutes=15 * k), row) for k in times], "BTC-USD", "15m")


def test_bars_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        three().values[0, 0] = 9.0


@given(st.integers(0, 2**62).map(from_ns))
def test_times_round_trip(time: datetime) -> None:
    assert from_ns(to_ns(time)) == time
    assert to_ns(time.astimezone(timezone(timedelta(hours=9)))) == to_ns(time)


def test_naive_times_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="UTC-aware"):
        to_ns(datetime(2021, 1, 1))  # noqa: DTZ001 - a naive time is the case


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_are_the_shortest_that_read_back(value: float) -> None:
    assert float(to_decimal(value)) == value
    assert to_decimal(0.1) == Decimal("0.1")
