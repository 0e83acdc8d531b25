"""Performance of an alpha, beside the statistics of a run and least squares of numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qmtl.sdk import Bars, StreamInput
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode
from qmtl.stats.drawdowns import drawdowns
from qmtl.stats.ratios import sharpe
from tests.sdk.market import walk

BARS = walk(300, seed=5)
CLOSE = BARS.values[:, 3]
PRICE = StreamInput(BARS.symbol, "15m")
ALPHA = ta.zscore(PRICE, 20)
RETURNS = ta.alpha_returns(ALPHA, PRICE)


def values(vertex: FoldNode, bars: Bars = BARS) -> np.ndarray:
    made: np.ndarray = batch_outputs(build_dag([vertex]), bars)[vertex].rows[:, 0]
    return made


def over(node: FoldNode, returns: list[float]) -> list[float]:
    """What a node makes of returns."""
    made = run_fold(node.fold, np.array(returns).reshape(-1, 1))
    return [float(value) for value in made.rows[made.emitted, 0]]


def test_an_alpha_earns_on_the_bar_after_it() -> None:
    alpha = values(ALPHA)
    expected = alpha[:-1] * (CLOSE[20:] / CLOSE[19:-1] - 1.0)
    assert values(RETURNS).tobytes() == expected.tobytes()


def test_it_earns_the_same_bar_by_bar_and_nothing_from_a_price_of_nothing() -> None:
    rows = np.array([[0.5, 100.0], [-1.0, 110.0], [2.0, 99.0], [1.0, 0.0], [1.0, 5.0], [1.0, 10.0]])
    for compiled in (None, False):
        made = run_fold(RETURNS.fold, rows, compiled=compiled)
        assert made.emitted.tolist() == [False, True, True, True, False, True]
        assert made.rows[made.emitted, 0] == pytest.approx([0.05, 0.1, -2.0, 1.0])


def test_the_ratio_is_that_of_the_statistics_in_every_window() -> None:
    returns, made = values(RETURNS), values(ta.alpha_sharpe(RETURNS, 30, periods_per_year=35_040))
    expected = [sharpe(returns[at : at + 30], 35_040) for at in range(len(returns) - 29)]
    assert made == pytest.approx(expected, rel=1e-10)


def test_the_fall_is_that_of_the_statistics_in_every_window() -> None:
    returns, made = values(RETURNS), values(ta.alpha_drawdown(RETURNS, 30))
    windows = [np.cumprod(np.append(1.0, 1.0 + returns[at : at + 30])) for at in range(len(returns) - 29)]
    assert made == pytest.approx([drawdowns(window).max() for window in windows], rel=1e-10)


def test_straightness_is_the_determination_of_least_squares() -> None:
    returns, made = values(RETURNS), values(ta.alpha_linearity(RETURNS, 30))
    expected = []
    for at in range(len(returns) - 29):
        correlation = np.corrcoef(np.arange(30), np.cumsum(returns[at : at + 30]))[0, 1]
        expected.append(math.copysign(correlation**2, correlation))
    assert made == pytest.approx(expected, rel=1e-8, abs=1e-12)
    assert min(made) < 0.0 < max(made)


def test_what_has_no_spread_has_no_ratio_and_no_line() -> None:
    source = ta.returns(PRICE, 1)
    assert over(ta.alpha_sharpe(source, 4, periods_per_year=365), [0.01] * 5) == []
    assert over(ta.alpha_linearity(source, 4), [0.0] * 5) == []
    assert over(ta.alpha_linearity(source, 4), [0.01] * 5) == pytest.approx([1.0, 1.0])
    assert over(ta.alpha_linearity(source, 4), [-0.01] * 5) == pytest.approx([-1.0, -1.0])


def test_who_loses_all_stays_there() -> None:
    assert over(ta.alpha_drawdown(ta.returns(PRICE, 1), 3), [0.5, -0.5, 0.2, -1.5, 9.0]) == [0.5, 1.0, 1.0]
