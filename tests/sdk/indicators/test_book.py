"""Microstructure and volume features: by hand, and against the formulas written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, StreamInput
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import Vertex
from qmtl.sdk.indicators import book
from qmtl.sdk.indicators.book import exponential
from tests.sdk.market import START_NS, STEP_NS, walk

BOOK = StreamInput("BTC-USD")
COLUMNS = ("BID", "ASK", "BID-SIZE", "ASK-SIZE")
BID, ASK, BID_SIZE, ASK_SIZE = (StreamInput(name).field("volume") for name in COLUMNS)  # a number a bar


def values(vertex: Vertex, *rows: tuple[float, float, float, float]) -> list[float]:
    """What a node makes of rows of bid, ask, bid size, ask size, in batch and streaming alike."""
    times = START_NS + STEP_NS * np.arange(len(rows), dtype=np.int64)
    flat = np.ones((len(rows), 4))
    columns = zip(COLUMNS, np.array(rows).T, strict=True)
    bars = [Bars(name, 900, times, np.column_stack([flat, column])) for name, column in columns]
    dag = build_dag([vertex])
    batch, streamed = batch_outputs(dag, bars)[vertex], stream_outputs(dag, bars)[vertex]
    assert batch.rows.tobytes() == streamed.rows.tobytes()
    return [float(value) for value in batch.rows[:, 0]]


QUOTES = [(99.0, 101.0, 6.0, 2.0), (99.0, 101.0, 8.0, 2.0), (100.0, 101.0, 3.0, 5.0), (99.5, 100.5, 4.0, 1.0)]


def test_imbalance_of_levels_its_average_and_its_logistic() -> None:
    assert values(ta.book_imbalance(BID_SIZE, ASK_SIZE), *QUOTES) == [0.5, 0.6, -0.25, 0.6]
    averaged = values(ta.book_imbalance(BID_SIZE, ASK_SIZE, period=2), *QUOTES)
    assert averaged == pytest.approx([0.55, 0.55 + (-0.25 - 0.55) * 2 / 3, 0.0166666667 + (0.6 - 0.0166666667) * 2 / 3])
    logistic = values(ta.book_imbalance(BID_SIZE, ASK_SIZE, logistic=2.0), *QUOTES)
    assert logistic == pytest.approx([1 / (1 + math.exp(-2 * one)) for one in (0.5, 0.6, -0.25, 0.6)], rel=1e-12)
    levels = ta.book_imbalance([BID_SIZE, BID_SIZE], [ASK_SIZE, ASK_SIZE * 2.0], decay=0.5)
    assert values(levels, *QUOTES[:1]) == [(9.0 - 4.0) / (9.0 + 4.0)]
    assert values(ta.book_imbalance(BID_SIZE, ASK_SIZE), (99.0, 101.0, 0.0, 0.0)) == []
    with pytest.raises(InvalidRequest, match="E_FIELD: decay is 2"):
        ta.book_imbalance(BID_SIZE, ASK_SIZE, decay=2)
    with pytest.raises(InvalidRequest, match="E_FIELD: sizes is empty"):
        ta.book_imbalance([], ASK_SIZE)


@given(st.floats(-60, 60))
def test_the_exponential_is_that_of_the_library(x: float) -> None:
    assert exponential(x) == pytest.approx(math.exp(x), rel=1e-12)


def test_the_microprice_leans_to_the_thinner_side() -> None:
    assert values(ta.microprice(BID, ASK, BID_SIZE, ASK_SIZE), *QUOTES[:2]) == [100.5, (99 * 2 + 101 * 8) / 10]
    assert values(ta.microprice(BID, ASK, BID_SIZE, ASK_SIZE), (99.0, 101.0, 0.0, 0.0)) == []


def test_order_flow_is_what_the_best_quotes_gained_and_lost() -> None:
    made = values(ta.order_flow_imbalance(BID, ASK, BID_SIZE, ASK_SIZE, 1), *QUOTES)
    # bid size 6 to 8; a higher bid of 3 and 3 more asked; a lower bid (3 gone) and a lower ask (1 more)
    assert made == [2.0, 3.0 - 5.0 + 2.0, -3.0 - 1.0]
    assert values(ta.order_flow_imbalance(BID, ASK, BID_SIZE, ASK_SIZE, 3), *QUOTES) == [-2.0]


def test_executions_spread_and_slope() -> None:
    assert values(ta.execution_imbalance(BID_SIZE, ASK_SIZE, 2), *QUOTES) == [10 / 18, 4 / 18, 1 / 13]
    spread = values(ta.spread_zscore(BID, ASK, 3), *QUOTES)
    relative = [(ask - bid) / ((ask + bid) / 2) for bid, ask, _, _ in QUOTES]
    expected = [
        (relative[i] - np.mean(relative[i - 2 : i + 1])) / np.std(relative[i - 2 : i + 1])
        for i in range(2, len(QUOTES))
    ]
    assert spread == pytest.approx(expected)
    slope = ta.depth_slope(BID_SIZE * 0.0 + 100.0, [ASK, ASK + 1.0], [BID_SIZE, ASK_SIZE])
    assert values(slope, QUOTES[0]) == [(1.0 * 6.0 + 2.0 * 8.0) / (1.0 + 4.0)]
    with pytest.raises(InvalidRequest, match="E_FIELD: prices, sizes is 1 and 1"):
        ta.depth_slope(BOOK, [ASK], [BID_SIZE])


def test_volume_features_equal_their_formulas() -> None:
    bars = walk(60, 4)
    high, low, close, volume = (bars.values[:, i] for i in (1, 2, 3, 4))
    dag = build_dag([relative := ta.relative_volume(StreamInput("BTC-USD"), 5), flow := ta.money_flow(BOOK, 7)])
    made = batch_outputs(dag, bars)
    expected = [volume[i] / volume[i - 5 : i].mean() for i in range(5, 60)]
    np.testing.assert_allclose(made[relative].rows[:, 0], expected, rtol=1e-12)
    signed = ((close - low) - (high - close)) / (high - low) * volume
    expected = [signed[i - 6 : i + 1].sum() / volume[i - 6 : i + 1].sum() for i in range(6, 60)]
    np.testing.assert_allclose(made[flow].rows[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_side_of_size_zero_has_no_weight_and_a_negative_one_no_price() -> None:
    found = [0.0]
    assert book.microprice_step([], [], [99.0, 101.0, 0.0, 4.0], found)
    assert found == [99.0]
    assert book.microprice_step([], [], [99.0, 101.0, 4.0, 0.0], found)
    assert found == [101.0]
    for sizes in ([-1.0, 4.0], [4.0, -1.0], [0.0, 0.0]):
        assert not book.microprice_step([], [], [99.0, 101.0, *sizes], found)
