"""Built-ins against TA-Lib, and against direct formulas where TA-Lib has none."""

from collections.abc import Callable

import numpy as np
import pytest
import talib

from qmtl.sdk import Bars, StreamInput
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode
from tests.sdk.market import walk

BARS = walk(600, seed=3)
OPEN, HIGH, LOW, CLOSE = (np.ascontiguousarray(BARS.values[:, i]) for i in range(4))
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


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 10, 5)])
def test_macd_equals_talib_column_by_column(fast: int, slow: int, signal: int) -> None:
    vertex = ta.macd(PRICE, fast, slow, signal)
    made = series_of(vertex)
    for column, expected in enumerate(talib.MACD(CLOSE, fast, slow, signal)):
        first = int(np.flatnonzero(~np.isnan(expected))[0])
        assert vertex.warmup == first + 1
        np.testing.assert_allclose(made.rows[:, column], expected[first:], rtol=1e-6, atol=1e-7)


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
