"""Every built-in fold: compiled, plain batch, streaming and resumed runs agree bit for bit."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.sdk import StreamInput, latest, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.engine.compiling import work_of
from qmtl.sdk.engine.folds import COMPILE_ABOVE, COUNTED_FROM, FoldState, _loop, run_fold
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from tests.sdk.test_arithmetic import expressions


def fold_of(vertex: Vertex) -> FoldNode:
    assert isinstance(vertex, FoldNode)
    return vertex


PRICE = StreamInput("BTC-USD")
BUILT_INS: list[FoldNode] = [
    ta.sma(PRICE, 1),
    ta.sma(PRICE, 7),
    ta.ema(PRICE, 1),
    ta.ema(PRICE, 9),
    ta.rsi(PRICE, 5),
    ta.macd(PRICE, 3, 7, 4),
    ta.atr(PRICE, 5),
    ta.returns(PRICE, 3),
    ta.rolling_vol(PRICE, 6, periods_per_year=35_040.0),
    ta.zscore(PRICE, 8),
    ta.wma(PRICE, 5),
    ta.rate_of_change(PRICE, 3),
    ta.bollinger(PRICE, 6),
    ta.keltner(PRICE, 6, 4),
    ta.stochastic(PRICE, 5, 2, 3),
    ta.stoch_rsi(PRICE, 4, 3, 2),
    ta.kdj(PRICE, 4),
    ta.obv(PRICE),
    ta.vwap(PRICE),
    ta.anchored_vwap(PRICE, datetime(1970, 1, 1, tzinfo=UTC)),
    ta.twap(PRICE, 4),
    ta.relative_volume(PRICE, 4),
    ta.money_flow(PRICE, 3),
    ta.book_imbalance(PRICE.field("volume"), PRICE, period=3),
    ta.book_imbalance(PRICE.field("volume"), PRICE, logistic=4.0),
    ta.microprice(PRICE.field("low"), PRICE.field("high"), PRICE.field("volume"), PRICE),
    ta.order_flow_imbalance(PRICE.field("low"), PRICE.field("high"), PRICE.field("volume"), PRICE, 3),
    ta.execution_imbalance(PRICE.field("volume"), PRICE.field("open"), 3),
    ta.supertrend(PRICE, 4),
    ta.chandelier_exit(PRICE, 4),
    ta.ichimoku(PRICE, 2, 3, 5, 4),
    ta.kalman_trend(PRICE),
    ta.alpha_returns(PRICE.field("volume"), PRICE),
    ta.alpha_sharpe(PRICE, 4, periods_per_year=365.0),
    ta.alpha_drawdown(PRICE, 4),
    ta.alpha_linearity(PRICE, 4),
    latest(ta.ema(PRICE, 3), at=PRICE),
    signals.cross(ta.ema(PRICE, 3), ta.ema(PRICE, 9)),
    signals.trend(ta.ema(PRICE, 3), ta.ema(PRICE, 9)),
    signals.threshold(ta.rsi(PRICE, 5), above=0.3, below=-0.3),
    signals.trade_signal(PRICE, enter=1.0, leave=-0.5),
    signals.position_target(signals.trend(PRICE, ta.ema(PRICE, 3)), long=0.9, short=-0.5, flat=0.1),
    signals.position_target(signals.trend(PRICE, ta.ema(PRICE, 3)), long=0.9, hold=False),
    *[fold_of(vertex) for vertex in expressions(PRICE, ta.ema(PRICE, 3))],
]
COMMON = settings(deadline=None, max_examples=20)

numbers = st.one_of(
    st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=True), st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e300])
)


@pytest.mark.parametrize("vertex", BUILT_INS, ids=lambda v: v.name)
@given(data=st.data())
@COMMON
def test_all_forms_agree_bit_for_bit(vertex: FoldNode, data: st.DataObject) -> None:
    fold = vertex.fold
    rows = data.draw(st.lists(st.lists(numbers, min_size=fold.inputs, max_size=fold.inputs), max_size=60))
    xs = np.array(rows, dtype=np.float64).reshape(len(rows), fold.inputs)
    plain, compiled = run_fold(fold, xs, compiled=False), run_fold(fold, xs, compiled=True)
    assert plain.rows.tobytes() == compiled.rows.tobytes()
    assert plain.emitted.tobytes() == compiled.emitted.tobytes()
    assert np.array(plain.state).tobytes() == np.array(compiled.state).tobytes()
    if fold.whole is not None:
        cut = data.draw(st.integers(0, len(rows)))
        first = run_fold(fold, xs[:cut])
        second = run_fold(fold, xs[cut:], first.state)
        assert np.concatenate([first.rows, second.rows]).tobytes() == plain.rows.tobytes()
        assert np.concatenate([first.emitted, second.emitted]).tobytes() == plain.emitted.tobytes()
        assert np.array(second.state).tobytes() == np.array(plain.state).tobytes()
    streamed = FoldState(fold)
    for x, emitted, row in zip(rows, plain.emitted, plain.rows, strict=True):
        value = streamed.advance(x)
        assert (value is not None) == emitted
        if value is not None:
            assert np.array(value).tobytes() == row.tobytes()


@pytest.mark.parametrize("vertex", BUILT_INS, ids=lambda v: v.name)
@given(data=st.data())
@COMMON
def test_saved_state_continues_exactly(vertex: FoldNode, data: st.DataObject) -> None:
    fold = vertex.fold
    rows = data.draw(st.lists(st.lists(numbers, min_size=fold.inputs, max_size=fold.inputs), max_size=60))
    cut = data.draw(st.integers(0, len(rows)))
    xs = np.array(rows, dtype=np.float64).reshape(len(rows), fold.inputs)
    whole = run_fold(fold, xs)
    first = run_fold(fold, xs[:cut])
    rest = run_fold(fold, xs[cut:], first.state, compiled=True)
    assert np.concatenate([first.rows, rest.rows]).tobytes() == whole.rows.tobytes()
    assert np.array(rest.state).tobytes() == np.array(whole.state).tobytes()


@pytest.mark.parametrize("period", [2, 5, 8])
@given(data=st.data())
@COMMON
def test_a_window_does_not_depend_on_where_history_began(period: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.floats(-1e12, 1e12), min_size=period + 1, max_size=40))
    cut = data.draw(st.integers(0, len(rows) - period - 1))
    xs = np.array(rows).reshape(len(rows), 1)
    for vertex in (ta.sma(PRICE, period), ta.zscore(PRICE, period), ta.rolling_vol(PRICE, period)):
        whole, later = run_fold(vertex.fold, xs).rows[-1], run_fold(vertex.fold, xs[cut:]).rows[-1]
        assert whole.tobytes() == later.tobytes()


@pytest.mark.parametrize("vertex", BUILT_INS, ids=lambda v: v.name)
def test_first_value_comes_exactly_at_warm_up(vertex: FoldNode) -> None:
    xs = np.linspace(1.0, 9.0, 40 * vertex.fold.inputs).reshape(40, vertex.fold.inputs)
    emitted = run_fold(vertex.fold, xs).emitted
    assert int(np.argmax(emitted)) == vertex.warmup - 1
    assert emitted[vertex.warmup - 1 :].all()


def test_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="want 2"):
        FoldState(ta.ema(PRICE, 3).fold, [1.0])


def test_cross_is_an_event_and_a_touch_is_none() -> None:
    fold = signals.cross(ta.ema(PRICE, 3), ta.ema(PRICE, 9)).fold
    pairs = [(1.0, 2.0), (2.0, 2.0), (1.0, 2.0), (3.0, 2.0), (4.0, 2.0), (2.0, 2.0), (1.0, 2.0)]
    assert run_fold(fold, np.array(pairs)).rows[1:, 0].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, -1.0]


def test_target_holds_between_signals_or_goes_flat() -> None:
    direction = signals.trend(PRICE, ta.ema(PRICE, 3))
    xs = np.array([[0.0], [1.0], [0.0], [-1.0], [0.0]])
    held = signals.position_target(direction, long=0.5, short=-0.5)
    assert run_fold(held.fold, xs).rows[:, 0].tolist() == [0.0, 0.5, 0.5, -0.5, -0.5]
    let_go = signals.position_target(direction, long=0.5, short=-0.5, hold=False)
    assert run_fold(let_go.fold, xs).rows[:, 0].tolist() == [0.0, 0.5, 0.0, -0.5, 0.0]


def test_flat_series_have_no_spread() -> None:
    xs = np.full((30, 1), 7.0)
    assert run_fold(ta.zscore(PRICE, 5).fold, xs).rows[-1, 0] == 0.0
    assert run_fold(ta.rolling_vol(PRICE, 5).fold, xs).rows[-1, 0] == 0.0
    assert run_fold(ta.rsi(PRICE, 5).fold, xs).rows[-1, 0] == 0.0
    assert math.isclose(run_fold(ta.sma(PRICE, 5).fold, xs).rows[-1, 0], 7.0)


def test_what_was_done_in_python_counts_until_compiling_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # nothing is kept there of an earlier run of this test
    xs = np.arange(5_000.0).reshape(-1, 1)
    fold = replace(ta.returns(PRICE, 3).fold, step=lambda state, params, x, out: plain_step(state, params, x, out))
    work, operations = work_of(_loop, step=fold.step), len(xs) * (10 + fold.state_size)
    assert operations > COUNTED_FROM
    run_fold(fold, xs[: COUNTED_FROM // (10 + fold.state_size) - 1])
    assert work.amount == 0
    whole = run_fold(fold, xs)
    assert work.amount == operations
    assert work.made is None
    work.amount = COMPILE_ABOVE - operations
    run_fold(fold, xs[:-1])
    assert work.made is None
    again = run_fold(fold, xs)
    assert work.made is not None
    assert again.rows.tobytes() == whole.rows.tobytes()
    assert again.emitted.tolist() == whole.emitted.tolist()


def plain_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """Doubles."""
    out[0] = 2.0 * x[0]
    return True
