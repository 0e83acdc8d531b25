"""Bars: conversions, the grid, exact decimals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, to_ns
from qmtl.sdk import Bars

NONE = {"open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0], "volume": [1.0]}
ROW = (1.0, 2.0, 0.5, 1.5, 10.0)
T0 = datetime(2021, 10, 1, tzinfo=UTC)


def three() -> Bars:
    return Bars.from_rows([(T0 + timedelta(minutes=15 * k), ROW) for k in (0, 1, 3)], "BTC-USD", "15m")


def test_frame_and_arrow_make_the_same_bars() -> None:
    bars = three()
    frame = pl.DataFrame({"time": [from_ns(t) for t in bars.open_ns.tolist()]}).with_columns(
        pl.Series(name, bars.values[:, i]) for i, name in enumerate(("open", "high", "low", "close", "volume"))
    )
    for other in (Bars.from_polars(frame, "BTC-USD", "15m"), Bars.from_arrow(frame.to_arrow(), "BTC-USD", 900)):
        assert other.open_ns.tolist() == bars.open_ns.tolist()
        assert other.values.tobytes() == bars.values.tobytes()
    assert isinstance(frame.to_arrow(), pa.Table)


NEW_YORK = [datetime(2021, 10, 1, 9, 30), datetime(2021, 10, 1, 9, 45)]  # noqa: DTZ001 - without a zone on purpose
COLUMNS = {"Open": [1.0, 1.0], "High": [2.0, 2.0], "Low": [0.5, 0.5], "Close": [1.5, 1.5], "Volume": [10, 10]}
SESSION = [to_ns(datetime(2021, 10, 1, 13, minute, tzinfo=UTC)) for minute in (30, 45)]


def test_frames_of_pandas_and_polars_are_of_the_zone_that_is_named() -> None:
    indexed = pd.DataFrame(COLUMNS, index=pd.DatetimeIndex(NEW_YORK))
    named = indexed.rename_axis("Date").reset_index()
    of_polars = pl.DataFrame({"time": NEW_YORK} | {name.lower(): values for name, values in COLUMNS.items()})
    for bars in (
        Bars.from_pandas(indexed, "AAPL", "15m", zone="America/New_York"),
        Bars.from_pandas(named, "AAPL", "15m", time="date", zone="America/New_York"),
        Bars.from_pandas(indexed.tz_localize("America/New_York"), "AAPL", "15m"),
        Bars.from_polars(of_polars, "AAPL", "15m", zone="America/New_York"),
    ):
        assert bars.open_ns.tolist() == SESSION
        assert bars.values.tolist() == [list(ROW), list(ROW)]


TWICE = pd.DataFrame(COLUMNS, index=pd.DatetimeIndex(["2021-11-07 01:30", "2021-11-07 01:45"]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bars.from_pandas(pd.DataFrame(COLUMNS, index=NEW_YORK), "A", "15m"), "index is times without a zone"),
        (lambda: Bars.from_pandas(pd.DataFrame(COLUMNS), "A", "15m"), "index is int64"),
        (lambda: Bars.from_pandas(TWICE, "A", "15m", zone="America/New_York"), "each of the times is one instant"),
        (lambda: Bars.from_pandas(TWICE, "A", "15m", zone="Mars/Base"), "zone is Mars/Base"),
        (lambda: Bars.from_pandas(pl.DataFrame(COLUMNS), "A", "15m"), "frame is a polars DataFrame"),
        (lambda: Bars.from_polars(pd.DataFrame(COLUMNS), "A", "15m"), "frame is a pandas DataFrame"),
        (lambda: Bars.from_pandas(TWICE[["Open"]], "A", "15m", zone="UTC"), "also high, low, close, volume"),
        (lambda: Bars.from_polars(pl.DataFrame({"time": [1]} | NONE), "A", "15m"), "time is Int64"),
        (lambda: Bars.from_polars(pl.DataFrame({"time": NEW_YORK[:1]} | NONE), "A", "15m"), "times without a zone"),
        (
            lambda: Bars.from_polars(pl.DataFrame({"time": NEW_YORK[:1]} | NONE), "A", "15m", zone="Mars/Base"),
            "zone is",
        ),
    ],
)
def test_frames_that_leave_something_open_are_refused(make: Callable[[], Bars], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        make()
    assert caught.value.reason == "E_FIELD"


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
