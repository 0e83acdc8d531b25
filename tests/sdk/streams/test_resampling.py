"""Bars made of finer ones: right numbers, whole bars only, on the calendar's grid over weekends, weeks and DST."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings

from qmtl.calendars.published import calendar_named
from qmtl.calendars.spans import Span
from qmtl.calendars.spans import bars as count_bars
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.sdk import Bars, StreamInput, resample
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import build_dag
from tests.sdk.market import START_NS, STEP_NS, gapped, walk

BTC = StreamInput("BTC-USD")
HOUR_NS, DAY_NS = 3600 * NS_PER_S, 86_400 * NS_PER_S


def resampled(bars: Bars, interval: str, **options: str) -> Series:
    source = StreamInput(bars.symbol, interval=f"{bars.interval_s}s")
    vertex = resample(source, interval, **options)
    dag = build_dag([vertex])
    made, streamed = batch_outputs(dag, bars)[vertex], stream_outputs(dag, bars)[vertex]
    assert made.time_ns.tolist() == streamed.time_ns.tolist()
    assert made.rows.tobytes() == streamed.rows.tobytes()
    return made


@pytest.mark.parametrize("partial", ["drop", "keep"])
@given(bars=gapped())
@settings(deadline=None, max_examples=25)
def test_equals_the_plain_definition(partial: str, bars: Bars) -> None:
    expected: list[tuple[int, list[float]]] = []
    for opens in np.unique(bars.open_ns - bars.open_ns % HOUR_NS).tolist():
        inside = (bars.open_ns >= opens) & (bars.open_ns < opens + HOUR_NS)
        rows = bars.values[inside]
        whole = len(rows) == 4 or partial == "keep"
        if whole and bars.close_ns[inside][-1] == opens + HOUR_NS:
            volume = 0.0
            for row in rows:
                volume += float(row[4])
            made = [rows[0, 0], rows[:, 1].max(), rows[:, 2].min(), rows[-1, 3], volume]
            expected.append((opens + HOUR_NS, made))
    found = resampled(bars, "1h", partial=partial)
    assert list(zip(found.time_ns.tolist(), found.rows.tolist(), strict=True)) == expected


def test_the_gap_of_two_hours_does_not_join_their_bars() -> None:
    """Two bars of an hour, then the last two of another, two hours later: neither is whole."""
    kept = np.isin(np.arange(16), [0, 1, 10, 11])
    bars = walk(16, 2, kept=kept)
    assert len(resampled(bars, "1h")) == 0
    assert resampled(bars, "1h", partial="keep").time_ns.tolist() == [START_NS + 12 * STEP_NS]


def test_weeks_begin_on_monday() -> None:
    monday = to_ns(datetime(2021, 9, 27, tzinfo=UTC))
    bars = Bars("BTC-USD", 86_400, monday - DAY_NS + DAY_NS * np.arange(9), walk(9).values)
    assert resampled(bars, "1w").time_ns.tolist() == [monday + 7 * DAY_NS]


def new_york(first: datetime, last: datetime, interval_s: int) -> Bars:
    """All bars of regular hours on the New York Stock Exchange."""
    spans = calendar_named("XNYS").expected(Span(to_ns(first), to_ns(last)), interval_s * NS_PER_S)
    opens = np.concatenate([np.arange(s.start_ns, s.end_ns, interval_s * NS_PER_S) for s in spans])
    return Bars("AAPL", interval_s, opens, walk(len(opens)).values)


def test_a_day_of_an_exchange_is_its_session_over_a_change_of_clocks() -> None:
    """New York went to summer time on 2024-03-10: sessions close at 21:00 UTC before, at 20:00 after."""
    bars = new_york(datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 16, tzinfo=UTC), 1800)
    made = resampled(bars, "1d", calendar="XNYS")
    closes = [datetime(2024, 3, day, 21 if day < 10 else 20, tzinfo=UTC) for day in (4, 5, 6, 7, 8, 11, 12, 13, 14, 15)]
    assert made.time_ns.tolist() == [to_ns(close) for close in closes]
    assert made.rows[0, 0] == bars.values[0, 0]
    assert made.rows[0, 3] == bars.values[12, 3]


def test_hours_of_an_exchange_need_only_the_bars_it_trades_in() -> None:
    """The first hour of a session has one half hour, 14:30 to 15:00 UTC; around the clock it would never be whole."""
    bars = new_york(datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 6, tzinfo=UTC), 1800)
    made = resampled(bars, "1h", calendar="XNYS")
    assert len(made) == 14
    assert made.rows[0].tolist() == bars.values[0].tolist()
    assert len(resampled(bars, "1h")) == 12


def test_an_early_close_ends_the_day() -> None:
    """2024-11-29 closed at 13:00 in New York, 18:00 UTC."""
    bars = new_york(datetime(2024, 11, 29, tzinfo=UTC), datetime(2024, 11, 30, tzinfo=UTC), 900)
    made = resampled(bars, "1d", calendar="XNYS")
    assert made.time_ns.tolist() == [to_ns(datetime(2024, 11, 29, 18, tzinfo=UTC))]
    assert count_bars((Span(int(bars.open_ns[0]), int(bars.close_ns[-1])),), 900 * NS_PER_S) == 14


def test_bars_outside_regular_hours_belong_to_none() -> None:
    regular = new_york(datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC), 900)
    opens = np.arange(regular.open_ns[0] - 8 * STEP_NS, regular.open_ns[-1] + 9 * STEP_NS, STEP_NS)
    values = walk(len(opens), 5).values.copy()
    values[8 : 8 + len(regular)] = regular.values
    extended = Bars("AAPL", 900, opens, values)
    one, other = resampled(regular, "1d", calendar="XNYS"), resampled(extended, "1d", calendar="XNYS")
    assert one.rows.tolist() == other.rows.tolist()
    assert one.time_ns.tolist() == other.time_ns.tolist()


def test_indicators_read_what_was_made() -> None:
    vertex = ta.atr(resample(BTC, "1h"), 3)
    assert vertex.interval_s == 3600
    assert len(batch_outputs(build_dag([vertex]), walk(64))[vertex]) == 13


@pytest.mark.parametrize(
    ("interval", "options", "reason"),
    [
        ("15m", {}, "E_INTERVAL"),
        ("20m", {}, "E_INTERVAL"),
        ("5m", {}, "E_INTERVAL"),
        ("1h", {"partial": "fill"}, "E_FIELD"),
        ("1h", {"calendar": "XYZ"}, "E_CALENDAR_UNKNOWN"),
    ],
)
def test_what_cannot_be_made_is_refused(interval: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        resample(BTC, interval, **options)
    assert refused.value.reason == reason
