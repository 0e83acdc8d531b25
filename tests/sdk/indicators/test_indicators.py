"""Built-ins against TA-Lib, and against direct formulas where TA-Lib has none."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
import talib

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns
from qmtl.sdk import Bars, StreamInput
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode
from qmtl.sdk.indicators.windows import RING_HEAD, ring_sums
from tests.sdk.market import walk

BARS = walk(600, seed=3)
OPEN, HIGH, LOW, CLOSE, VOLUME = (np.ascontiguousarray(BARS.values[:, i]) for i in range(5))
PRICE = StreamInput("BTC-USD")


def series_of(vertex: FoldNode, bars: Bars = BARS) -> Series:
    return batch_outputs(build_dag([vertex]), bars)[vertex]


@pytest.mark.parametrize(
    ("vertex", "reference"),
    [
        (ta.sma(PRICE, 20), lambda: talib.SMA(CLOSE, 20)),
        (ta.sma(PRICE, 20, field="open"), lambda: talib.SMA(OPEN, 20)),
        (ta.ema(PRICE, 12), lambda: talib.EMA(CLOSE, 12)),
        (ta.rsi(PRICE, 14), lambda: talib.RSI(CLOSE, 14)),
        (ta.atr(PRICE, 14), lambda: talib.ATR(HIGH, LOW, CLOSE, 14)),
        (ta.returns(PRICE, 5), lambda: talib.ROCP(CLOSE, 5)),
        (ta.rate_of_change(PRICE, 5), lambda: talib.ROC(CLOSE, 5)),
        (ta.wma(PRICE, 9), lambda: talib.WMA(CLOSE, 9)),
        (ta.obv(PRICE), lambda: talib.OBV(CLOSE, VOLUME)),
        (ta.twap(PRICE, 7), lambda: talib.SMA(talib.AVGPRICE(OPEN, HIGH, LOW, CLOSE), 7)),
        (ta.zscore(PRICE, 20), lambda: (CLOSE - talib.SMA(CLOSE, 20)) / talib.STDDEV(CLOSE, 20)),
    ],
    ids=lambda item: item.name if isinstance(item, FoldNode) else "",
)
def test_equals_talib(vertex: FoldNode, reference: Callable[[], np.ndarray]) -> None:
    expected = reference()
    first = int(np.flatnonzero(~np.isnan(expected))[0])
    made = series_of(vertex)
    assert vertex.warmup == first + 1
    np.testing.assert_array_equal(made.time_ns, BARS.close_ns[first:])
    np.testing.assert_allclose(made.rows[:, 0], expected[first:], rtol=1e-6, atol=1e-9)


def columns_equal(vertex: FoldNode, references: Sequence[np.ndarray], bars: Bars = BARS) -> None:
    """Each column has TA-Lib's values; the warm-up is where the last of them begins."""
    made = series_of(vertex, bars)
    first = max(int(np.flatnonzero(~np.isnan(each))[0]) for each in references)
    assert vertex.warmup == first + 1
    np.testing.assert_array_equal(made.time_ns, bars.close_ns[first:])
    for column, expected in enumerate(references):
        np.testing.assert_allclose(made.rows[:, column], expected[first:], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 10, 5)])
def test_macd_equals_talib_column_by_column(fast: int, slow: int, signal: int) -> None:
    columns_equal(ta.macd(PRICE, fast, slow, signal), talib.MACD(CLOSE, fast, slow, signal))


def test_bands_and_oscillators_equal_talib_column_by_column() -> None:
    columns_equal(ta.bollinger(PRICE, 20, 2.5), talib.BBANDS(CLOSE, 20, 2.5, 2.5))
    columns_equal(
        ta.stochastic(PRICE, 9, 3, 4), talib.STOCH(HIGH, LOW, CLOSE, fastk_period=9, slowk_period=3, slowd_period=4)
    )
    columns_equal(ta.stoch_rsi(PRICE, 14, 5, 3), talib.STOCHRSI(CLOSE, 14, fastk_period=5, fastd_period=3))


@pytest.mark.parametrize("scale", [0.0, 1e-8, 1e9])
def test_flat_and_tiny_prices_equal_talib(scale: float) -> None:
    """Scale 0: prices that do not move. TA-Lib takes a variance below 1e-14 for none: BBANDS is not asked of tiny."""
    values = BARS.values * scale if scale else np.tile([7.0, 7.0, 7.0, 7.0, 3.0], (600, 1))
    bars = Bars("BTC-USD", 900, BARS.open_ns.copy(), values.copy())
    opened, high, low, close, volume = (np.ascontiguousarray(values[:, i]) for i in range(5))
    pairs = [
        (ta.sma(PRICE, 20), [talib.SMA(close, 20)]),
        (ta.wma(PRICE, 9), [talib.WMA(close, 9)]),
        (ta.ema(PRICE, 12), [talib.EMA(close, 12)]),
        (ta.rsi(PRICE, 14), [talib.RSI(close, 14)]),
        (ta.atr(PRICE, 14), [talib.ATR(high, low, close, 14)]),
        (ta.rate_of_change(PRICE, 5), [talib.ROC(close, 5)]),
        (ta.obv(PRICE), [talib.OBV(close, volume)]),
        (ta.twap(PRICE, 7), [talib.SMA(talib.AVGPRICE(opened, high, low, close), 7)]),
        (ta.macd(PRICE), talib.MACD(close)),
        (ta.stochastic(PRICE, 9, 3, 4), talib.STOCH(high, low, close, fastk_period=9, slowk_period=3, slowd_period=4)),
        (ta.stoch_rsi(PRICE, 14, 5, 3), talib.STOCHRSI(close, 14, fastk_period=5, fastd_period=3)),
        *([] if scale == 1e-8 else [(ta.bollinger(PRICE, 20), talib.BBANDS(close, 20, 2.0, 2.0))]),
    ]
    for vertex, references in pairs:
        made = series_of(vertex, bars)
        for column, expected in enumerate(references):
            wanted = expected[vertex.warmup - 1 :]
            np.testing.assert_allclose(made.rows[:, column], wanted, rtol=2e-6, atol=1e-9 * abs(wanted).max())


def test_rolling_vol_is_the_sample_deviation_of_returns() -> None:
    made = series_of(ta.rolling_vol(PRICE, 20, periods_per_year=4.0))
    changes = CLOSE[1:] / CLOSE[:-1] - 1.0
    expected = [changes[i - 20 : i].std(ddof=1) * 2.0 for i in range(20, len(changes) + 1)]
    np.testing.assert_allclose(made.rows[:, 0], expected, rtol=1e-9)


def test_a_window_over_a_gap_is_the_last_bars_that_exist() -> None:
    kept = np.ones(600, dtype=np.bool_)
    kept[100:150] = False
    gapped = walk(600, seed=3, kept=kept)
    made = series_of(ta.sma(PRICE, 10), gapped)
    expected = np.concatenate([CLOSE[95:100], CLOSE[150:155]]).mean()
    at = int(np.flatnonzero(made.time_ns == BARS.close_ns[154])[0])
    assert made.rows[at, 0] == pytest.approx(expected)


def test_keltner_is_an_average_and_ranges_around_it() -> None:
    made = series_of(ta.keltner(PRICE, 20, 10, 1.5)).rows
    middle, reach = talib.EMA(CLOSE, 20)[19:], 1.5 * talib.ATR(HIGH, LOW, CLOSE, 10)[19:]
    np.testing.assert_allclose(made, np.column_stack([middle + reach, middle, middle - reach]), rtol=1e-9)


def test_kdj_goes_from_50_toward_the_place_in_the_range() -> None:
    made, k, d = series_of(ta.kdj(PRICE, 9, 3, 3)).rows, 50.0, 50.0
    for row, at in zip(made, range(8, 600), strict=True):
        low, high = LOW[at - 8 : at + 1].min(), HIGH[at - 8 : at + 1].max()
        k = k * 2 / 3 + 100.0 * (CLOSE[at] - low) / (high - low) / 3
        d = d * 2 / 3 + k / 3
        assert row == pytest.approx([k, d, 3 * k - 2 * d], rel=1e-9)
    still = Bars("BTC-USD", 900, BARS.open_ns.copy(), np.full((600, 5), 2.0))
    assert series_of(ta.kdj(PRICE, 9), still).rows[-1].tolist() == [50.0, 50.0, 50.0]


def test_vwap_begins_anew_each_day_and_an_anchored_one_at_its_anchor() -> None:
    typical, day = (HIGH + LOW + CLOSE) / 3.0, BARS.open_ns // (86_400 * 10**9)
    made = series_of(ta.vwap(PRICE)).rows[:, 0]
    for at in (0, 95, 96, 97, 400):
        mine = (day == day[at]) & (np.arange(600) <= at)
        assert made[at] == pytest.approx((typical * VOLUME)[mine].sum() / VOLUME[mine].sum())
    anchored = series_of(ta.anchored_vwap(PRICE, from_ns(int(BARS.open_ns[100]))))
    assert anchored.time_ns[0] == BARS.close_ns[100]
    expected = np.cumsum((typical * VOLUME)[100:]) / np.cumsum(VOLUME[100:])
    np.testing.assert_allclose(anchored.rows[:, 0], expected, rtol=1e-9)
    with pytest.raises(InvalidRequest, match="anchor"):
        ta.anchored_vwap(PRICE, datetime(2021, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_vwap_is_silent_before_the_first_volume_of_a_day() -> None:
    values = BARS.values.copy()
    values[[0, 1, 96], 4] = 0.0
    made = series_of(ta.vwap(PRICE), Bars("BTC-USD", 900, BARS.open_ns.copy(), values))
    assert not np.isin(BARS.close_ns[[0, 1, 96]], made.time_ns).any()
    assert len(made) == 597


def test_supertrend_follows_its_published_recursion() -> None:
    made, ranges = series_of(ta.supertrend(PRICE, 10, 2.0)).rows, talib.ATR(HIGH, LOW, CLOSE, 10)
    upper = lower = direction = 0.0
    turns = 0
    for row, at in zip(made, range(10, 600), strict=True):
        middle, reach = (HIGH[at] + LOW[at]) / 2, 2.0 * ranges[at]
        above, below = middle + reach, middle - reach
        if at == 10:
            direction, upper, lower = (1.0 if CLOSE[at] >= middle else -1.0), above, below
        else:
            turned = 1.0 if CLOSE[at] > upper else -1.0 if CLOSE[at] < lower else direction
            upper = above if above < upper or CLOSE[at - 1] > upper else upper
            lower = below if below > lower or CLOSE[at - 1] < lower else lower
            turns, direction = turns + (turned != direction), turned
        assert row == pytest.approx([lower if direction > 0 else upper, direction], rel=1e-9)
    assert turns > 5


def test_chandelier_exit_and_ichimoku_by_plain_ranges() -> None:
    exits, ranges = series_of(ta.chandelier_exit(PRICE, 22, 3.0)).rows, talib.ATR(HIGH, LOW, CLOSE, 22)
    highest, lowest = talib.MAX(HIGH, 22), talib.MIN(LOW, 22)
    np.testing.assert_allclose(exits, np.column_stack([highest - 3.0 * ranges, lowest + 3.0 * ranges])[22:], rtol=1e-9)
    lines = series_of(ta.ichimoku(PRICE, 9, 26, 52, 20)).rows
    nine, base, slow = ((talib.MAX(HIGH, n) + talib.MIN(LOW, n)) / 2 for n in (9, 26, 52))
    expected = np.column_stack([nine[71:], base[71:], ((nine + base) / 2)[51:-20], slow[51:-20]])
    np.testing.assert_allclose(lines, expected, rtol=1e-12)


def test_kalman_trend_equals_the_filter_in_matrices() -> None:
    made, level_noise, slope_noise = series_of(ta.kalman_trend(PRICE, 0.05, 0.002)).rows, 0.05, 0.002
    step, see, noise = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]), np.diag([level_noise, slope_noise])
    state, spread = np.array([[CLOSE[0]], [0.0]]), np.eye(2)
    for row, price in zip(made, CLOSE[1:], strict=True):
        state, spread = step @ state, step @ spread @ step.T + noise
        gain = spread @ see.T / (see @ spread @ see.T + 1.0)
        state, spread = state + gain * (price - see @ state), (np.eye(2) - gain @ see) @ spread
        assert row == pytest.approx(state[:, 0], rel=1e-8)


def test_constants_that_differ_in_their_last_bits_are_at_their_mean() -> None:
    almost = [0.1, 0.1 + 2.0**-56, 0.1, 0.1 - 2.0**-56, 0.1 + 2.0**-56]
    made = run_fold(ta.zscore(PRICE, 3).fold, np.array(almost).reshape(-1, 1))
    assert made.rows[made.emitted, 0].tolist() == [0.0, 0.0, 0.0]
    apart = run_fold(ta.zscore(PRICE, 3).fold, np.array([1.0, 1.0 + 1e-12, 1.0 - 1e-12]).reshape(-1, 1))
    assert apart.rows[2, 0] == pytest.approx(-math.sqrt(1.5), rel=1e-3)


def test_every_docstring_says_source_shape_and_warm_up() -> None:
    for name in ta.__all__:
        text = getattr(ta, name).__doc__
        assert "Shape:" in text, name
        assert "Warm-up:" in text, name


def test_sums_of_windows_are_added_oldest_first_however_many_are_made_together() -> None:
    xs = np.random.default_rng(5).normal(100.0, 1.0, 40_000)
    sums = ring_sums([0.0] * (RING_HEAD + 3), 3, xs)
    assert sums.tobytes() == (xs[:-2] + xs[1:-1] + xs[2:]).tobytes()
